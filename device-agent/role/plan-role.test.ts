import { expect, test } from '@jest/globals';
import type { SignerStatus } from '../../protocol/signer-control.ts';
import { initialRole, planRole, type RoleInput, type RoleMemory, type RoleStep } from './plan-role.ts';

const thing = 'demo_b';

function signer(over: Partial<SignerStatus> = {}): SignerStatus {
  return {
    type: 'status',
    state: 'standby',
    address: 'A'.repeat(40),
    recordKey: 'demo-1/A',
    recordId: 'record-1',
    epoch: 3,
    height: 100,
    chainId: 'demo-1',
    guard: 'record',
    record: {
      epoch: 3,
      holder: 'demo_a',
      grantEpoch: 3,
      grantTo: 'demo_a',
      position: { height: 100, round: 0, step: 3 },
      ageMs: 5,
    },
    beat: { epoch: 3, stillMs: 100, readsStill: 0, yielded: false, lost: false },
    released: { height: 90, round: 0, step: 3 },
    nodeConnected: true,
    signed: 0,
    refused: 0,
    pid: 1,
    version: '0.1.0',
    ...over,
  };
}

type InputChange = Partial<Omit<RoleInput, 'chain'>> & { chain?: Partial<RoleInput['chain']> };

function input({ chain, ...over }: InputChange = {}): RoleInput {
  return {
    thing,
    kind: 'validator',
    mode: 'sign',
    desired: { role: 'standby' },
    desiredFault: undefined,
    signer: { up: true, downForMs: 0, session: 1, status: signer() },
    now: { monotonicMs: 10_000, wallMs: 1_700_000_000_000 },
    ...over,
    chain: {
      sinceCommitMs: 300,
      blockSeconds: 2,
      catchingUp: false,
      missedInRow: 0,
      // The last height's signatures are in the next block.
      countedTo: (chain?.height ?? 100) - 1,
      height: 100,
      commits: [],
      lastSignedHeight: 99,
      ...chain,
    },
  };
}

const withSigner = (over: Partial<SignerStatus>): RoleInput['signer'] => ({
  up: true,
  downForMs: 0,
  session: 1,
  status: signer(over),
});
const lost = { epoch: 3, mark: 'x/7', stillMs: 1200, readsStill: 3, yielded: false, lost: true };

function actions(steps: RoleStep[]): string[] {
  return steps.map(({ action }) => action);
}

/** Memory after one plan, so that the first report is out of the way. */
function settled(of: RoleInput): RoleMemory {
  return planRole(of, initialRole(of.kind, of.now.wallMs)).memory;
}

test('a standby whose node commits asks for the role when the beat is lost, at most each T', () => {
  const now = input({ signer: withSigner({ beat: lost }) });
  const memory = settled(input());
  const first = planRole(now, memory);
  expect(first.steps).toEqual([
    {
      action: 'request-role',
      reason: 'beat-still',
      recordId: 'record-1',
      epoch: 3,
      holder: 'demo_a',
      height: 100,
      beat: 'x/7',
      nodeHeight: 100,
      lastSignedHeight: 99,
    },
  ]);
  const again = (afterMs: number) =>
    actions(planRole({ ...now, now: { ...now.now, monotonicMs: 10_000 + afterMs } }, first.memory).steps);
  // T of 2 s blocks is 1 s.
  expect(again(990)).toEqual([]);
  expect(again(1000)).toEqual(['request-role']);
});

test.each<[string, InputChange, string | undefined]>([
  ['the holder yielded', { signer: withSigner({ beat: { ...lost, yielded: true } }) }, 'yielded'],
  ['nothing is wrong', {}, undefined],
  [
    'its node does not commit',
    { signer: withSigner({ beat: lost }), chain: { sinceCommitMs: 5_100 } },
    undefined,
  ],
  [
    'a slow chain has slow commits',
    { signer: withSigner({ beat: lost }), chain: { sinceCommitMs: 14_000, blockSeconds: 6 } },
    'beat-still',
  ],
  [
    'no commit was seen',
    { signer: withSigner({ beat: lost }), chain: { sinceCommitMs: undefined } },
    undefined,
  ],
  ['its node catches up', { signer: withSigner({ beat: lost }), chain: { catchingUp: true } }, undefined],
  [
    'its node is unknown',
    { signer: withSigner({ beat: lost }), chain: { catchingUp: undefined } },
    undefined,
  ],
  ["another epoch's beat stands still", { signer: withSigner({ beat: { ...lost, epoch: 2 } }) }, undefined],
  [
    'it is in maintenance',
    { signer: withSigner({ beat: lost }), desired: { role: 'maintenance' } },
    undefined,
  ],
  ['it is active itself', { signer: withSigner({ beat: lost, state: 'active' }) }, undefined],
  ['it is fenced', { signer: withSigner({ beat: lost, state: 'fenced' }) }, undefined],
  ['its signer refuses', { signer: withSigner({ beat: lost, state: 'refusing' }) }, undefined],
  ['it claims already', { signer: withSigner({ beat: lost, state: 'claiming' }) }, undefined],
  [
    'its signer does not answer',
    { signer: { up: false, downForMs: 100, session: 1, status: signer({ beat: lost }) } },
    undefined,
  ],
  ['no signer at all', { signer: undefined }, undefined],
])('role request: %s', (_, change, reason) => {
  const { steps } = planRole(input(change), settled(input()));
  const request = steps.find(({ action }) => action === 'request-role');
  expect(request && 'reason' in request ? request.reason : undefined).toBe(reason);
});

test.each<[string, NonNullable<SignerStatus['record']>]>([
  ['nobody ever held the role', { ...record(), holder: '', epoch: 0, grantEpoch: 0, grantTo: '' }],
  ['it holds the role itself', { ...record(), holder: thing }],
  ['it has the next grant already', { ...record(), grantEpoch: 4, grantTo: thing }],
])('no role request where %s', (_, of) => {
  const beat = { ...lost, epoch: of.epoch };
  const { steps } = planRole(input({ signer: withSigner({ record: of, beat }) }), settled(input()));
  expect(actions(steps)).not.toContain('request-role');
});

function record(): NonNullable<SignerStatus['record']> {
  const found = signer().record;
  if (!found) throw new Error('a signer of these tests has a record');
  return found;
}

test("three commits without our signature are asked for once they are the holder's own", () => {
  const missed = (height: number) => input({ chain: { missedInRow: 5, height } });
  let memory = settled(input({ chain: { height: 100 } }));
  expect(actions(planRole(missed(103), memory).steps)).toEqual([]);
  expect(actions(planRole(missed(104), memory).steps)).toEqual(['request-role']);
  // The next holder has just claimed: those five were not its own.
  const claimed = { signer: withSigner({ epoch: 4, record: { ...record(), epoch: 4, holder: 'demo_c' } }) };
  const next = planRole(input({ ...claimed, chain: { missedInRow: 5, height: 104 } }), memory);
  expect(actions(next.steps)).not.toContain('request-role');
  memory = next.memory;
  expect(
    actions(planRole(input({ ...claimed, chain: { missedInRow: 9, height: 108 } }), memory).steps),
  ).toContain('request-role');
});

test('a block whose signatures are not counted yet is no miss', () => {
  const memory = settled(input({ chain: { height: 45 } }));
  // 46 and 47 lack our signature, which the holder could not give; 49 has come, and what it says of 48 not been read.
  const come = planRole(input({ chain: { missedInRow: 7, countedTo: 47, height: 49 } }), memory);
  expect(actions(come.steps)).toEqual([]);
  expect(
    actions(planRole(input({ chain: { missedInRow: 8, countedTo: 48, height: 49 } }), come.memory).steps),
  ).toEqual(['request-role']);
});

test('commits that are looked up after an absence are asked for by nobody', () => {
  // The signer is heard first, as a pilot starts; then the node, whose last blocks lack our signature.
  const before = settled(input({ chain: { height: 0, countedTo: 0 } }));
  const all = planRole(input({ chain: { missedInRow: 9, height: 500 } }), before);
  expect(actions(all.steps)).toEqual([]);
  expect(actions(planRole(input({ chain: { missedInRow: 13, height: 504 } }), all.memory).steps)).toEqual([
    'request-role',
  ]);
  // Cut off from its node for a while: it has come to commits that were missed, and not to the last one.
  const memory = settled(input({ chain: { height: 100 } }));
  const halfWay = input({ chain: { missedInRow: 5, countedTo: 120, height: 150 } });
  expect(actions(planRole(halfWay, memory).steps)).toEqual([]);
});

test("what the chain committed before the claim is not its holder's miss, however late our node got it", () => {
  const blockTimeMs = (height: number) => 1_700_000_000_000 + 1300 * height;
  // The claim is seen at 10,000. A live node had 5 by then; ours, new, had 1.
  const liveMs = (height: number) => 9_950 + 1300 * (height - 5);
  const seen = (heights: [height: number, seenMs: number][]) =>
    heights.map(([height, seenMs]) => ({ height, blockTimeMs: blockTimeMs(height), seenMs }));
  const behind = seen([
    [1, 9_900],
    [2, 10_300],
    [3, 10_600],
    [4, 10_900],
    [5, 11_200],
  ]);
  const asks = (heightMax: number, missedInRow: number) => {
    const live: [number, number][] = [6, 7, 8, 9].map((height) => [height, Math.max(liveMs(height), 11_300)]);
    const commits = [...behind, ...seen(live)].filter(({ height }) => height <= heightMax);
    const monotonicMs = commits.at(-1)?.seenMs ?? 0;
    const now = { monotonicMs, wallMs: 1_700_000_000_000 };
    return actions(
      planRole(input({ now, chain: { height: heightMax, missedInRow, commits } }), memory).steps,
    );
  };
  const memory = settled(input({ chain: { height: 1, commits: behind.slice(0, 1) } }));
  for (const height of [5, 6, 7, 8]) expect(asks(height, height - 1)).toEqual([]);
  // 6, 7 and 8 are the holder's.
  expect(asks(9, 8)).toEqual(['request-role']);
});

test('a grant is handed to the signer at once, again after a while and to each new signer process', () => {
  const granted = input({ desired: { role: 'active', epoch: 4 } });
  const first = planRole(granted, settled(input()));
  expect(first.steps).toEqual([{ action: 'control', request: { type: 'grant', epoch: 4 } }]);
  const later = (afterMs: number, session = 1) =>
    actions(
      planRole(
        {
          ...granted,
          signer: { up: true, downForMs: 0, session, status: signer() },
          now: { ...granted.now, monotonicMs: 10_000 + afterMs },
        },
        first.memory,
      ).steps,
    );
  expect(later(500)).toEqual([]);
  expect(later(2000)).toEqual(['control']);
  expect(later(1, 2)).toEqual(['control']);
});

test.each<[string, RoleInput['desired'], Partial<SignerStatus>, object | undefined]>([
  [
    'a fenced signer stands by when the fleet says so',
    { role: 'standby' },
    { state: 'fenced' },
    { type: 'stand-by' },
  ],
  ['or is to rest', { role: 'maintenance' }, { state: 'fenced' }, { type: 'stand-by' }],
  [
    'a fenced signer is granted anew',
    { role: 'active', epoch: 5 },
    { state: 'fenced' },
    { type: 'grant', epoch: 5 },
  ],
  ['its old wish leaves it fenced', { role: 'active', epoch: 3 }, { state: 'fenced' }, undefined],
  ['an active one has claimed', { role: 'active', epoch: 3 }, { state: 'active' }, undefined],
  [
    'an active one signs until the record says otherwise',
    { role: 'standby' },
    { state: 'active' },
    undefined,
  ],
  ['a wish without an epoch is an edit for Commander', { role: 'active' }, {}, undefined],
  ['an unenrolled one cannot claim', { role: 'active', epoch: 4 }, { state: 'unenrolled' }, undefined],
])('control: %s', (_, desired, of, request) => {
  const { steps } = planRole(input({ desired, signer: withSigner(of) }), settled(input()));
  const control = steps.find(({ action }) => action === 'control');
  expect(control && 'request' in control ? control.request : undefined).toEqual(request);
});

test.each<[string, InputChange, string, number, RegExp]>([
  ['active', { signer: withSigner({ state: 'active', epoch: 4 }) }, 'active', 4, /^$/],
  ['claiming is not yet active', { signer: withSigner({ state: 'claiming' }) }, 'standby', 3, /^$/],
  ['fenced', { signer: withSigner({ state: 'fenced', reason: 'epoch 4' }) }, 'fenced', 3, /epoch 4/],
  [
    'refusing',
    { signer: withSigner({ state: 'refusing', reason: 'record gone' }) },
    'standby',
    3,
    /record gone/,
  ],
  ['maintenance', { desired: { role: 'maintenance' } }, 'maintenance', 3, /^$/],
  ['sentry', { kind: 'sentry', signer: undefined }, 'sentry', 0, /^$/],
  ['local guard', { signer: withSigner({ state: 'local', epoch: 0 }) }, 'active', 0, /local guard/],
  ['unreadable wish', { desired: undefined, desiredFault: 'role: bad' }, 'standby', 3, /role: bad/],
])('reports %s', (_, change, role, epoch, reason) => {
  const now = input(change);
  const { steps } = planRole(now, initialRole(now.kind, now.now.wallMs));
  const report = steps.find(({ action }) => action === 'report');
  if (!report || !('state' in report)) throw new Error('nothing was reported');
  expect(report.state).toMatchObject({ role, epoch, since: new Date(now.now.wallMs).toISOString() });
  expect(report.state.reason).toMatch(reason);
});

test('a pilot that starts beside an active signer says nothing until it has heard it', () => {
  const unheard = (downForMs: number) =>
    input({ signer: { up: false, downForMs, session: 0, status: undefined } });
  const before = planRole(unheard(1000), initialRole('validator', 0));
  expect(before.steps).toEqual([]);
  expect(actions(planRole(input({ signer: withSigner({ state: 'active' }) }), before.memory).steps)).toEqual([
    'report',
  ]);
  const after = planRole(unheard(3000), before.memory);
  expect(after.steps).toMatchObject([
    { action: 'report', state: { role: 'standby', reason: expect.stringMatching(/does not answer/) } },
  ]);
});

test('a signer that is started again at once does not change the reported role; a lasting absence gives it a reason', () => {
  const active = input({ signer: withSigner({ state: 'active' }) });
  let memory = settled(active);
  const down = (downForMs: number) => {
    const away = { up: false, downForMs, session: 1, status: signer({ state: 'active' }) };
    const planned = planRole(
      { ...active, signer: away, now: { ...active.now, monotonicMs: 10_000 + downForMs } },
      memory,
    );
    memory = planned.memory;
    return planned.steps;
  };
  expect(down(1000)).toEqual([]);
  expect(down(4000)).toEqual([]);
  expect(down(6000)).toMatchObject([
    { state: { role: 'active', epoch: 3, reason: 'the signer does not answer' } },
  ]);
});

test('a reason that comes and goes is not told, one that stays is, a new role at once', () => {
  const slow = (monotonicMs: number) =>
    input({ signer: withSigner({ reason: 'slow' }), now: { monotonicMs, wallMs: 0 } });
  const first = planRole(slow(10_000), settled(input()));
  expect(first.steps).toEqual([]);
  const gone = planRole(input({ now: { monotonicMs: 11_000, wallMs: 0 } }), first.memory);
  const again = planRole(slow(11_500), gone.memory);
  expect(planRole(slow(13_400), again.memory).steps).toEqual([]);
  expect(planRole(slow(13_500), again.memory).steps).toMatchObject([{ state: { reason: 'slow' } }]);
  expect(actions(planRole(input({ signer: withSigner({ state: 'active' }) }), first.memory).steps)).toEqual([
    'report',
  ]);
});

test('fenced is told once an epoch', () => {
  const fenced = input({ signer: withSigner({ state: 'fenced' }), desired: { role: 'active', epoch: 3 } });
  const first = planRole(fenced, settled(input()));
  expect(actions(first.steps)).toContain('tell-fenced');
  expect(actions(planRole(fenced, first.memory).steps)).toEqual([]);
});

test.each(['monitor', 'config', 'dry-run'] as const)(
  'in mode %s a server rests, whatever a signer of an earlier mode beside it says: it asks for nothing and hands nothing on',
  (mode) => {
    const fenced = withSigner({ state: 'fenced', epoch: 4 });
    const gone = withSigner({ beat: lost });
    for (const [signerNow, desired] of [
      [gone, { role: 'standby' }],
      [gone, { role: 'active', epoch: 9 }],
      [fenced, { role: 'standby' }],
      [undefined, { role: 'standby' }],
    ] as const) {
      const { steps } = planRole(
        input({ mode, signer: signerNow, desired }),
        initialRole('validator', 1_700_000_000_000),
      );
      expect(steps).toEqual([
        {
          action: 'report',
          state: expect.objectContaining({
            role: 'maintenance',
            epoch: 0,
            reason: expect.stringContaining(`mode is "${mode}"`),
          }),
        },
      ]);
    }
  },
);
