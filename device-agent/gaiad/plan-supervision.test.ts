import { expect, test } from '@jest/globals';
import {
  backOffMs,
  backOffMsMax,
  ended,
  gaiadState,
  initialSupervision,
  mayStart,
  planSupervision,
  type SupervisionInput,
  signerWaitMsMax,
  started,
  steadyMs,
  stopTimeoutMs,
  supervisionTroubles,
} from './plan-supervision.ts';

const nowMs = 1_000_000;
const process = { pid: 7, forMs: 10_000, frozen: false, answered: true, silentMs: 0 };

function input(over: Partial<SupervisionInput> = {}): SupervisionInput {
  return {
    run: 'running',
    configuration: true,
    process: undefined,
    signer: { up: true, downForMs: 0 },
    keyOnNode: undefined,
    keyRemedy: 'Move that file off.',
    firstStart: undefined,
    selfSigning: undefined,
    restart: undefined,
    memory: initialSupervision,
    nowMs,
    ...over,
  };
}

test.each<[string, Partial<SupervisionInput>, boolean]>([
  ['all is there', {}, true],
  ['the fleet wants it stopped', { run: 'stopped' }, false],
  ['the key lies on the node', { keyOnNode: '/h/config/priv_validator_key.json' }, false],
  ["its first start is the operator's", { firstStart: 'its home holds a key' }, false],
  ['it was seen signing by itself', { selfSigning: 'so it shows' }, false],
  ['its overlay is awaited', { configuration: 'awaited' }, false],
  ['its signer is not there yet', { signer: { up: false, downForMs: signerWaitMsMax - 1 } }, false],
  [
    'its signer has been away for too long to wait',
    { signer: { up: false, downForMs: signerWaitMsMax } },
    true,
  ],
  ['a sentry has no signer', { signer: 'none' }, true],
])('started or not: %s', (_, over, starts) => {
  expect(planSupervision(input(over))).toEqual(starts ? { action: 'start' } : undefined);
});

test('started again at once, then after 1 s, 2 s, 4 s, … up to a bound', () => {
  expect([1, 2, 3, 4, 5, 6, 7, 20].map(backOffMs)).toEqual([
    0,
    1000,
    2000,
    4000,
    8000,
    16_000,
    30_000,
    backOffMsMax,
  ]);
  let memory = started(initialSupervision, nowMs);
  memory = ended(memory, 'exit code 1', nowMs + 10);
  expect(mayStart(input({ memory, nowMs: nowMs + 10 }))).toBe(true);
  memory = ended(started(memory, nowMs + 10), 'exit code 1', nowMs + 20);
  expect(mayStart(input({ memory, nowMs: nowMs + 900 }))).toMatch(/after a pause/);
  expect(mayStart(input({ memory, nowMs: nowMs + 1020 }))).toBe(true);
  // It ran well for long: the next end is a new story.
  memory = ended(started(memory, nowMs), 'killed', nowMs + steadyMs);
  expect(memory.failures).toBe(1);
});

test.each<[string, Partial<SupervisionInput>, string]>([
  ['stopped', { run: 'stopped' }, 'the fleet wants it stopped'],
  ['another configuration', { restart: 'its configuration has changed' }, 'its configuration has changed'],
  ['signs by itself', { selfSigning: 'it votes' }, 'it votes'],
])('a running one is told to end: %s; killed when it does not', (_, over, reason) => {
  const running = { ...input(over), process };
  expect(planSupervision(running)).toEqual({ action: 'terminate', pid: 7, reason });
  const told = { ...initialSupervision, terminatedAtMs: nowMs };
  expect(planSupervision({ ...running, memory: told, nowMs: nowMs + stopTimeoutMs - 1 })).toBeUndefined();
  expect(planSupervision({ ...running, memory: told, nowMs: nowMs + stopTimeoutMs })).toEqual({
    action: 'kill',
    pid: 7,
  });
  const killed = { ...told, killed: true };
  expect(planSupervision({ ...running, memory: killed, nowMs: nowMs + 2 * stopTimeoutMs })).toBeUndefined();
});

test('a running one is left alone: signer away, silent, frozen, key found', () => {
  for (const over of [
    {},
    { signer: { up: false, downForMs: 1e6 } },
    { process: { ...process, silentMs: 1e6 } },
    { process: { ...process, frozen: true } },
    { keyOnNode: '/some/file' },
  ]) {
    expect(planSupervision(input({ process, ...over }))).toBeUndefined();
  }
});

test.each<[string, Partial<SupervisionInput>, string]>([
  ['not started yet', {}, 'starting'],
  ['no answer yet', { process: { ...process, answered: false } }, 'starting'],
  ['no answer for long', { process: { ...process, answered: false, forMs: 1e6 } }, 'unresponsive'],
  ['answers', { process }, 'running'],
  ['silent', { process: { ...process, silentMs: 6000 } }, 'unresponsive'],
  ['frozen', { process: { ...process, frozen: true } }, 'unresponsive'],
  ['stopped', { run: 'stopped' }, 'stopped'],
  ['key', { keyOnNode: 'k' }, 'failed'],
  ['ended twice', { memory: { ...initialSupervision, failures: 2, endedAtMs: nowMs } }, 'failed'],
])('state: %s', (_, over, state) => {
  expect(gaiadState(input(over))).toBe(state);
});

test('troubles name what to do', () => {
  const kinds = (over: Partial<SupervisionInput>) =>
    supervisionTroubles(input(over)).map(({ kind, text }) => `${kind}: ${text}`);
  expect(kinds({ process })).toEqual([]);
  expect(kinds({ keyOnNode: '/h/key.json' })).toEqual([
    expect.stringMatching(/^key-on-node: .*\/h\/key\.json.*Move that file/),
  ]);
  expect(kinds({ process: { ...process, frozen: true } })).toEqual([
    expect.stringMatching(/^gaiad-down: .*stopped by a signal/),
  ]);
  const failed = {
    ...initialSupervision,
    failures: 3,
    endedAtMs: nowMs,
    lastWords: 'exit code 1: bad genesis',
  };
  expect(kinds({ memory: failed })).toEqual([expect.stringMatching(/^gaiad-down: .*3 times.*bad genesis/)]);
  expect(kinds({ signer: { up: false, downForMs: 6000 } })).toEqual([
    expect.stringMatching(/start the signer/),
  ]);
});
