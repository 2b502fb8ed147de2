import { expect, test } from '@jest/globals';
import { overlayHash } from '../../protocol/overlay-hash.ts';
import { type GaiadState, initialGaiadState } from './overlay-state.ts';
import { cloudWaitMs, firstOverlayWaitMs, type OverlayInput, planOverlay } from './plan-overlay.ts';

const good: GaiadState = { ...initialGaiadState, ranBefore: true };
const overlay = { 'config.toml': { p2p: { pex: false } } };
const hash = overlayHash(overlay);
const wanted: OverlayInput['desired'] = { known: true, hash, overlay };
const onTrial: GaiadState = {
  ...good,
  trial: {
    hash,
    overlay,
    owned: { 'config.toml': [], 'app.toml': [] },
    changed: ['config.toml/p2p.pex'],
    chainMoved: true,
  },
};
const nothing = { process: undefined, failures: 0, blockSeconds: 2, lastWords: '' };

function plan(over: Partial<OverlayInput>) {
  return planOverlay({
    desired: wanted,
    settled: true,
    checked: undefined,
    state: good,
    trial: nothing,
    ...over,
  });
}

test('an overlay that is not in force is applied; one that is, once after the start of the pilot', () => {
  expect(plan({})).toEqual({ action: 'apply', hash, overlay });
  const inForce = { ...good, lastGood: hash, overlay };
  expect(plan({ state: inForce })).toBeUndefined();
  expect(plan({ state: inForce, settled: false })).toEqual({ action: 'apply', hash, overlay });
});

test('a refused overlay is not tried again, but what was only checked is looked at after a restart', () => {
  const refused = (by: 'check' | 'roll-back') => ({ ...good, refused: { hash, by } });
  expect(plan({ state: refused('check'), checked: hash })).toBeUndefined();
  expect(plan({ state: refused('check'), settled: false })).toMatchObject({ action: 'apply', hash });
  // Refused again in this run: the files are brought to what was good before, once.
  expect(plan({ state: refused('check'), settled: false, checked: hash })).toMatchObject({
    action: 'apply',
    hash: good.lastGood,
  });
  expect(plan({ state: refused('roll-back'), settled: false })).toMatchObject({
    action: 'apply',
    hash: good.lastGood,
  });
});

test.each<[string, OverlayInput['desired'], GaiadState, boolean]>([
  ['a new server waits for the cloud', { known: false, forMs: 1e9 }, initialGaiadState, false],
  ['one that ran before waits a moment', { known: false, forMs: cloudWaitMs - 1 }, good, false],
  ['and then starts with what it has', { known: false, forMs: cloudWaitMs }, good, true],
  [
    'a new one gives the first overlay a moment',
    { known: 'none', forMs: firstOverlayWaitMs - 1 },
    initialGaiadState,
    false,
  ],
  ['which may not come', { known: 'none', forMs: firstOverlayWaitMs }, initialGaiadState, true],
  ['one that ran before needs none', { known: 'none', forMs: 0 }, good, true],
  ['stand-alone waits for nothing', { known: 'alone' }, initialGaiadState, true],
])('first start: %s', (_, desired, state, starts) => {
  expect(plan({ desired, state, settled: false })?.action).toBe(starts ? 'apply' : undefined);
});

const trial = (process: Partial<NonNullable<OverlayInput['trial']['process']>>, over = {}) =>
  plan({
    state: onTrial,
    trial: { ...nothing, process: { forMs: 1000, answered: false, moved: false, ...process }, ...over },
  });

test('a trial ends well when the node answers and its chain goes on', () => {
  expect(trial({})).toBeUndefined();
  expect(trial({ answered: true })).toBeUndefined();
  expect(trial({ answered: true, moved: true })).toEqual({ action: 'accept' });
});

test('where the chain stood still before, an answer is enough', () => {
  const state = { ...onTrial, trial: onTrial.trial && { ...onTrial.trial, chainMoved: false } };
  const process = { forMs: 1000, answered: true, moved: false };
  expect(plan({ state, trial: { ...nothing, process } })).toEqual({ action: 'accept' });
});

test('a trial is rolled back after two ends, or when its time is over', () => {
  expect(plan({ state: onTrial, trial: { ...nothing, failures: 1 } })).toBeUndefined();
  expect(plan({ state: onTrial, trial: { ...nothing, failures: 2, lastWords: 'bad port' } })).toMatchObject({
    action: 'roll-back',
    reason: expect.stringContaining('bad port'),
  });
  expect(trial({ forMs: 29_000 })).toBeUndefined();
  expect(trial({ forMs: 30_000 })).toMatchObject({
    action: 'roll-back',
    reason: expect.stringContaining('RPC'),
  });
  expect(trial({ forMs: 30_000, answered: true })).toMatchObject({
    reason: expect.stringContaining('no block'),
  });
  // Ten blocks of 6 s.
  expect(trial({ forMs: 59_000 }, { blockSeconds: 6 })).toBeUndefined();
  expect(trial({ forMs: 60_000 }, { blockSeconds: 6 })).toMatchObject({ action: 'roll-back' });
});

test('a chain home that never ran gets its time', () => {
  const state = { ...onTrial, ranBefore: false };
  const process = { forMs: 300_000, answered: false, moved: false };
  expect(plan({ state, trial: { ...nothing, process } })).toBeUndefined();
});

test('an interrupted trial is resumed before anything else', () => {
  expect(plan({ state: onTrial, settled: false })).toEqual({ action: 'resume' });
});
