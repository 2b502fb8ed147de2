import { describe, expect, test } from '@jest/globals';
import { decide } from './decide.ts';
import type { FleetView, Trigger } from './fleet.ts';
import { edit, now, recordId, recordKey, request, sampleFleet, sampleHealth, sweep } from './sample-fleet.ts';
import type { Step, StepOf } from './step.ts';

const of = <K extends Step['step']>(steps: Step[], kind: K): StepOf<K>[] =>
  steps.filter((step): step is StepOf<K> => step.step === kind);
const grants = (steps: Step[]) =>
  of(steps, 'grant').map(({ to, grantEpochSeen }) => [to, grantEpochSeen + 1]);
const writes = (steps: Step[]) =>
  of(steps, 'writeRole').map(({ thing, role, epoch, reason = 'kept' }) => ({ thing, role, epoch, reason }));
const told = (steps: Step[]) => of(steps, 'alert').map(({ kind }) => kind);
const write = (thing: string, role: string, epoch: number | undefined, reason: unknown = null) => ({
  thing,
  role,
  epoch,
  reason,
});
const decided = (fleet: FleetView, trigger: Trigger, at = now) => decide(fleet, trigger, at);

const signer = (state: 'refusing' | 'unenrolled' | 'standby', some = {}) => ({
  state,
  address: 'AA',
  recordKey,
  recordId,
  epoch: 1,
  height: 99,
  ...some,
});
const grantedTo = (to: string, at: number) => ({
  lastGrant: {
    fleet: 'demo',
    item: '#grant' as const,
    recordId,
    epoch: 2,
    to,
    from: 'demo_a',
    at,
    by: 'automatic' as const,
    reason: '',
  },
});

test('a fleet in order needs nothing, whoever asks to look', () => {
  expect(decided(sampleFleet(), sweep)).toEqual([]);
  expect(decided(sampleFleet(), edit('demo_a', 'active', { role: 'active', epoch: 1 }))).toEqual([]);
});

describe('a standby asks', () => {
  test('it is granted the next epoch, its shadow says so, and the cool-down starts', () => {
    const steps = decided(sampleFleet(), request());
    expect(steps[0]).toEqual({ step: 'grant', recordId, grantEpochSeen: 1, to: 'demo_b' });
    expect(writes(steps)).toEqual([write('demo_b', 'active', 2)]);
    expect(of(steps, 'noteFailover')).toMatchObject([{ at: now, epoch: 2, from: 'demo_a', to: 'demo_b' }]);
    expect(of(steps, 'noteGrant')).toMatchObject([{ epoch: 2, to: 'demo_b', by: 'automatic' }]);
    expect(told(steps)).toEqual(['failover']);
  });

  test.each([
    ['an older epoch', { epoch: 0 }],
    ['another holder', { holder: 'demo_c' }],
    ['another record', { recordId: 'record-0000' }],
    ['itself, the holder', { thing: 'demo_a' }],
    ['a sentry', { thing: 'demo_s' }],
    ['a stranger', { thing: 'demo_z' }],
    ['a beat that is not still: the record moved on', { height: 98 }],
  ])('void: %s', (_, some) => {
    const steps = decided(sampleFleet(), request(some));
    expect(steps.map(({ step }) => step)).toEqual(['explain']);
  });

  test('void: the holder has its node again', () => {
    const beat = { key: '', recordId, epoch: 1, incarnation: 'x', beat: 5, yielded: 0 as const };
    expect(grants(decided(sampleFleet({}, { beat }), request({ reason: 'yielded' })))).toEqual([]);
    const yielded = { ...beat, yielded: 1 as const };
    expect(grants(decided(sampleFleet({}, { beat: yielded }), request({ reason: 'yielded' })))).toHaveLength(
      1,
    );
  });

  test('void: another node saw our signature where the asking one missed it', () => {
    const missed = request({ reason: 'commits-missed', lastSignedHeight: 97 });
    const seen = (lastSignedHeight: number) => ({
      s: {
        desired: { role: 'sentry' },
        health: {
          kind: 'sentry' as const,
          signing: { lastSignedHeight, missed: 0, of: 100, missedTotal: 0 },
        },
      },
    });
    expect(grants(decided(sampleFleet(seen(99)), missed))).toEqual([]);
    expect(grants(decided(sampleFleet(seen(97)), missed))).toHaveLength(1);
  });

  test('void: it lay in a queue', () => {
    expect(grants(decided(sampleFleet(), request({}, now - 20_000)))).toEqual([]);
  });

  test('before anybody ever held the role, an operator names the first', () => {
    const fleet = sampleFleet({ a: {} }, { record: { epoch: 0, holder: '', grantEpoch: 0, grantTo: '' } });
    expect(grants(decided(fleet, request({ epoch: 0, holder: '' })))).toEqual([]);
  });

  test('automatic failover is off: it alerts', () => {
    const fleet = sampleFleet();
    if (fleet.config) fleet.config.automaticFailover = false;
    const steps = decided(fleet, request());
    expect(grants(steps)).toEqual([]);
    expect(of(steps, 'alert')).toMatchObject([{ kind: 'failover', severity: 'critical' }]);
  });

  test('cool-down: not again so soon, then again', () => {
    const lastFailover = {
      fleet: 'demo',
      item: '#failover' as const,
      at: now - 59_000,
      epoch: 1,
      from: '',
      to: '',
      reason: '',
    };
    expect(grants(decided(sampleFleet({}, { lastFailover }), request()))).toEqual([]);
    expect(
      grants(decided(sampleFleet({}, { lastFailover: { ...lastFailover, at: now - 60_001 } }), request())),
    ).toHaveLength(1);
  });

  test('the best standby gets it: another zone first', () => {
    const zoned = {
      a: { ...sampleA, health: { ...sampleA.health, zone: 'z1' } },
      b: { health: { zone: 'z1' } },
      c: { health: { zone: 'z2' } },
    };
    expect(grants(decided(sampleFleet(zoned), request()))).toEqual([['demo_c', 2]]);
  });

  test.each([
    ['behind', { gaiad: { state: 'running' as const, height: 90, catchingUp: false, blockSeconds: 2 } }],
    ['catching up', { gaiad: { state: 'running' as const, height: 100, catchingUp: true, blockSeconds: 2 } }],
    ['without its node', { gaiad: { state: 'failed' as const, height: 100, blockSeconds: 2 } }],
    ['disconnected', { connected: false }],
    ['silent', { receivedAt: now - 60_000 }],
    ['refusing', { signer: signer('refusing') }],
    ['enrolled elsewhere', { signer: signer('standby', { recordId: 'record-0009' }) }],
  ])('another zone does not help one that is %s', (_, health) => {
    const zoned = {
      a: { ...sampleA, health: { ...sampleA.health, zone: 'z1' } },
      b: { health: { zone: 'z1' } },
      c: { health: { zone: 'z2', ...health } },
    };
    expect(grants(decided(sampleFleet(zoned), request()))).toEqual([['demo_b', 2]]);
  });

  test('a standby whose message is older is not behind for that', () => {
    const gaiad = { state: 'running' as const, height: 96, catchingUp: false, blockSeconds: 2 };
    const fleet = sampleFleet({ b: { health: { gaiad, receivedAt: now - 9_000 } } });
    expect(grants(decided(fleet, request({ nodeHeight: undefined })))).toHaveLength(1);
  });

  test('nobody is fit: it alerts with every reason', () => {
    const steps = decided(sampleFleet({ b: { health: { signer: signer('refusing') } } }), request());
    expect(grants(steps)).toEqual([]);
    expect(of(steps, 'alert')).toMatchObject([{ text: expect.stringContaining('demo_b is refusing') }]);
  });

  test('maintenance is left alone', () => {
    const fleet = sampleFleet({ b: { desired: { role: 'maintenance', epoch: 1 } } });
    expect(grants(decided(fleet, request()))).toEqual([]);
  });
});

const sampleA = {
  desired: { role: 'active', epoch: 1 },
  reported: 'active' as const,
  health: { role: 'active' as const, signer: { ...signer('standby'), state: 'active' as const } },
};
const pending = { grantEpoch: 2, grantTo: 'demo_b' };

describe('a grant is pending', () => {
  test('a second request changes nothing', () => {
    const fleet = sampleFleet(
      { b: { desired: { role: 'active', epoch: 2 } }, c: {} },
      { record: pending, ...grantedTo('demo_b', now - 1000) },
    );
    expect(decided(fleet, request({ thing: 'demo_c' })).map(({ step }) => step)).toEqual(['explain']);
  });

  test('its decider ended before the shadow was written: the same epoch is finished', () => {
    const steps = decided(sampleFleet({}, { record: pending }), sweep);
    expect(grants(steps)).toEqual([]);
    expect(writes(steps)).toEqual([write('demo_b', 'active', 2)]);
    expect(of(steps, 'noteGrant')).toMatchObject([{ epoch: 2, to: 'demo_b', by: 'unknown' }]);
  });

  test('unclaimed for three blocks, it passes on to another', () => {
    const fleet = sampleFleet(
      { b: { desired: { role: 'active', epoch: 2 } }, c: {} },
      { record: pending, ...grantedTo('demo_b', now - 6_001) },
    );
    const steps = decided(fleet, request({ thing: 'demo_c' }));
    expect(grants(steps)).toEqual([['demo_c', 3]]);
    expect(writes(steps)).toEqual([write('demo_c', 'active', 3), write('demo_b', 'standby', 1)]);
  });

  test('unclaimed for three blocks and nobody else: the same again, in a new epoch', () => {
    const fleet = sampleFleet(
      { b: { desired: { role: 'active', epoch: 2 } } },
      { record: pending, ...grantedTo('demo_b', now - 6_001) },
    );
    const steps = decided(fleet, request());
    expect(grants(steps)).toEqual([['demo_b', 3]]);
    expect(writes(steps)).toEqual([write('demo_b', 'active', 3)]);
  });

  test('unclaimed while the holder signs on: called back, wishes refused', () => {
    const fleet = sampleFleet(
      {
        a: { ...sampleA, desired: { role: 'standby', epoch: 1 } },
        b: { desired: { role: 'active', epoch: 2 } },
      },
      { record: pending, ...grantedTo('demo_b', now - 6_001) },
    );
    const steps = decided(fleet, sweep);
    expect(grants(steps)).toEqual([['', 3]]);
    const why = expect.stringContaining('did not take the role');
    expect(writes(steps)).toEqual([write('demo_a', 'active', 1, why), write('demo_b', 'standby', 1, why)]);
  });

  test('unclaimed, the holder silent: the sweep passes it on', () => {
    const fleet = sampleFleet(
      {
        a: { ...sampleA, health: { ...sampleA.health, connected: false } },
        b: { desired: { role: 'active', epoch: 2 } },
        c: {},
      },
      { record: pending, ...grantedTo('demo_b', now - 6_001) },
    );
    expect(grants(decided(fleet, sweep))).toEqual([['demo_c', 3]]);
  });

  test('another edit meanwhile is refused, the old one signs on untouched', () => {
    const fleet = sampleFleet(
      { b: { desired: { role: 'active', epoch: 2 } }, c: { desired: { role: 'active', epoch: 1 } } },
      { record: pending, ...grantedTo('demo_b', now - 100) },
    );
    const steps = decided(fleet, edit('demo_c', 'standby', { role: 'active', epoch: 1 }));
    expect(grants(steps)).toEqual([]);
    expect(writes(steps)).toEqual([write('demo_c', 'standby', 1, expect.stringContaining('under way'))]);
    expect(told(steps)).toEqual(['role-edit-refused']);
  });

  test('claimed: only now the old one is told to stand by', () => {
    const fleet = sampleFleet(
      { b: { desired: { role: 'active', epoch: 2 }, reported: 'active' } },
      { record: { ...pending, epoch: 2, holder: 'demo_b' }, ...grantedTo('demo_b', now - 100) },
    );
    expect(decided(fleet, edit('demo_b', 'active', { role: 'active', epoch: 2 }))).toEqual([
      { step: 'writeRole', thing: 'demo_a', version: 7, role: 'standby', epoch: 2, reason: null },
    ]);
  });

  test('claimed before its shadow said so, and nothing noted: no way back, no switch', () => {
    const fleet = sampleFleet({ a: sampleA }, { record: { ...pending, epoch: 2, holder: 'demo_b' } });
    const steps = decided(fleet, sweep);
    expect(grants(steps)).toEqual([]);
    expect(writes(steps)).toEqual([write('demo_b', 'active', 2), write('demo_a', 'standby', 2)]);
  });
});

describe('an operator edits', () => {
  test.each([
    ['as it was', 1],
    ['none', undefined],
    ['a stale one', 0],
    ['an absurd one', 9e15],
    ['not even a number', 'x'],
  ])('a standby to active, with an epoch that is %s', (_, epoch) => {
    const desired = { role: 'active', epoch };
    const steps = decided(sampleFleet({ b: { desired } }), edit('demo_b', 'standby', desired));
    expect(grants(steps)).toEqual([['demo_b', 2]]);
    expect(writes(steps)).toEqual([write('demo_b', 'active', 2)]);
    expect(of(steps, 'noteFailover')).toEqual([]);
  });

  test('neither cool-down nor automaticFailover=false hold an operator', () => {
    const lastFailover = {
      fleet: 'demo',
      item: '#failover' as const,
      at: now - 1,
      epoch: 1,
      from: '',
      to: '',
      reason: '',
    };
    const fleet = sampleFleet({ b: { desired: { role: 'active', epoch: 1 } } }, { lastFailover });
    if (fleet.config) fleet.config.automaticFailover = false;
    expect(grants(decided(fleet, edit('demo_b', 'standby', { role: 'active', epoch: 1 })))).toHaveLength(1);
  });

  test('a lost event: the sweep meets the edit', () => {
    expect(grants(decided(sampleFleet({ b: { desired: { role: 'active', epoch: 1 } } }), sweep))).toEqual([
      ['demo_b', 2],
    ]);
  });

  test('a lost event and a stale epoch: put back, with a word', () => {
    const steps = decided(sampleFleet({ b: { desired: { role: 'active', epoch: 0 } } }), sweep);
    expect(grants(steps)).toEqual([]);
    expect(writes(steps)).toEqual([
      write('demo_b', 'standby', 1, expect.stringContaining('set "active" again')),
    ]);
  });

  test('an unfit standby to active: put back with the reason', () => {
    const desired = { role: 'active', epoch: 1 };
    const fleet = sampleFleet({ b: { desired, health: { signer: signer('unenrolled') } } });
    const steps = decided(fleet, edit('demo_b', 'maintenance', desired));
    expect(grants(steps)).toEqual([]);
    expect(writes(steps)).toEqual([write('demo_b', 'maintenance', 1, expect.stringContaining('unenrolled'))]);
    expect(told(steps)).toEqual(['role-edit-refused']);
  });

  test('two standbys at once: the first is granted, the second put back', () => {
    const desired = { role: 'active', epoch: 1 };
    const fleet = sampleFleet({ b: { desired }, c: { desired } });
    const steps = decided(fleet, edit('demo_c', 'standby', desired));
    expect(grants(steps)).toEqual([['demo_c', 2]]);
    expect(writes(steps)).toEqual([
      write('demo_c', 'active', 2),
      write('demo_b', 'standby', 1, expect.stringContaining('a switch to demo_c is under way')),
    ]);
  });

  test.each(['standby', 'maintenance'])('the active to %s: another takes over first', (role) => {
    const desired = { role, epoch: 1 };
    const steps = decided(sampleFleet({ a: { ...sampleA, desired } }), edit('demo_a', 'active', desired));
    expect(grants(steps)).toEqual([['demo_b', 2]]);
    expect(writes(steps)).toEqual([write('demo_b', 'active', 2)]);
    const after = sampleFleet(
      { a: { ...sampleA, desired }, b: { desired: { role: 'active', epoch: 2 }, reported: 'active' } },
      { record: { ...pending, epoch: 2, holder: 'demo_b' }, ...grantedTo('demo_b', now - 100) },
    );
    expect(writes(decided(after, sweep))).toEqual([write('demo_a', role, 2, 'kept')]);
  });

  test('the active to standby with nobody fit: put back', () => {
    const desired = { role: 'standby', epoch: 1 };
    const fleet = sampleFleet({ a: { ...sampleA, desired }, b: { health: { connected: false } } });
    const steps = decided(fleet, edit('demo_a', 'active', desired));
    expect(grants(steps)).toEqual([]);
    expect(writes(steps)).toEqual([
      write('demo_a', 'active', 1, expect.stringContaining('nobody else is fit')),
    ]);
    expect(told(steps)).toEqual(['role-edit-refused']);
  });

  test('a deleted shadow is written again from the record', () => {
    const fleet = sampleFleet({ a: { ...sampleA, noShadow: true }, b: { noShadow: true } });
    expect(of(decided(fleet, edit('demo_a', 'active', undefined)), 'writeRole')).toEqual([
      { step: 'writeRole', thing: 'demo_a', version: undefined, role: 'active', epoch: 1, reason: null },
      { step: 'writeRole', thing: 'demo_b', version: undefined, role: 'standby', epoch: 1, reason: null },
    ]);
  });

  test.each([
    ['demo_b', 'sentry', write('demo_b', 'standby', 1, expect.stringContaining('"sentry"'))],
    ['demo_b', 'king', write('demo_b', 'standby', 1, expect.stringContaining('"king" is no role'))],
    ['demo_a', 'king', write('demo_a', 'active', 1, expect.stringContaining('"king" is no role'))],
    ['demo_a', 7, write('demo_a', 'active', 1, expect.stringContaining('no role'))],
    ['demo_s', 'active', write('demo_s', 'sentry', undefined, expect.stringContaining('sentry'))],
    ['demo_s', 'standby', write('demo_s', 'sentry', undefined, expect.stringContaining('sentry'))],
    ['demo_s', 'king', write('demo_s', 'sentry', undefined, expect.stringContaining('sentry'))],
  ])('%s to %p: put back', (thing, role, expected) => {
    const node = thing.slice(-1);
    const base = node === 'a' ? sampleA : node === 's' ? { health: { kind: 'sentry' as const } } : {};
    const desired = { role, epoch: 1 };
    const steps = decided(sampleFleet({ [node]: { ...base, desired } }), edit(thing, 'standby', desired));
    expect(grants(steps)).toEqual([]);
    expect(writes(steps)).toEqual([expected]);
    expect(told(steps)).toEqual(['role-edit-refused']);
  });

  test('an absurd epoch alone is put right without a word', () => {
    const fleet = sampleFleet({ a: { ...sampleA, desired: { role: 'active', epoch: 999 } } });
    expect(decided(fleet, sweep)).toEqual([
      { step: 'writeRole', thing: 'demo_a', version: 7, role: 'active', epoch: 1, reason: undefined },
    ]);
  });

  test('an edit from before the last switch, told late, switches nothing back', () => {
    const desired = { role: 'active', epoch: 5 };
    const fleet = sampleFleet(
      { a: { ...sampleA, desired }, b: { desired: { role: 'active', epoch: 2 }, reported: 'active' } },
      { record: { ...pending, epoch: 2, holder: 'demo_b' }, ...grantedTo('demo_b', now - 100) },
    );
    const steps = decided(fleet, edit('demo_a', 'standby', desired, now - 200));
    expect(grants(steps)).toEqual([]);
    expect(writes(steps)).toEqual([write('demo_a', 'standby', 2)]);
  });

  test('the first start: an operator names the first active, whatever the chain does', () => {
    const desired = { role: 'active' };
    const fleet = sampleFleet(
      { a: { desired, health: 'none' }, b: { health: 'none', desired: undefined } },
      { record: { epoch: 0, holder: '', grantEpoch: 0, grantTo: '', height: 0 }, lastGrant: undefined },
    );
    const steps = decided(fleet, edit('demo_a', undefined, desired));
    expect(grants(steps)).toEqual([['demo_a', 1]]);
    expect(writes(steps)).toEqual([write('demo_a', 'active', 1), write('demo_b', 'standby', 0)]);
  });
});

describe('without a record to trust', () => {
  const edited = { b: { desired: { role: 'active', epoch: 1 } } };
  const trigger = edit('demo_b', 'standby', { role: 'active', epoch: 1 });

  test.each([
    ['not configured', { state: 'not-configured' as const }, false],
    ['missing', { state: 'missing' as const, key: recordKey }, true],
    ['malformed', { state: 'malformed' as const, key: recordKey, fault: 'epoch: missing' }, true],
  ])('%s: an edit is put back, a request only told', (_, record, alarming) => {
    const steps = decided(sampleFleet(edited, { record }), trigger);
    expect(grants(steps)).toEqual([]);
    expect(writes(steps)).toEqual([write('demo_b', 'standby', undefined, expect.any(String))]);
    expect(told(steps)).toEqual(alarming ? ['record-trouble', 'role-edit-refused'] : ['role-edit-refused']);
    const asked = decided(sampleFleet({}, { record }), request());
    expect([grants(asked), told(asked)]).toEqual([[], ['record-trouble']]);
  });

  test.each([
    ['epoch', { epoch: 9 }],
    ['height', { height: 101 }],
  ])('went back in its %s: no grant', (_, seen) => {
    const fleet = sampleFleet({ ...edited, s: {}, c: { health: { signer: signer('standby', seen) } } });
    for (const each of [trigger, sweep, request()]) {
      const steps = decided(fleet, each);
      expect(grants(steps)).toEqual([]);
      expect(of(steps, 'alert')).toContainEqual(
        expect.objectContaining({
          kind: 'record-trouble',
          severity: 'critical',
          text: expect.stringContaining('went back'),
        }),
      );
    }
  });
});

describe('the sweep tells', () => {
  test('who is silent', () => {
    const fleet = sampleFleet({
      s: { desired: { role: 'sentry' }, health: { kind: 'sentry', receivedAt: now - 40_000 } },
    });
    expect(of(decided(fleet, sweep), 'alert')).toMatchObject([
      { thing: 'demo_s', kind: 'offline', severity: 'warning' },
    ]);
  });

  test('that nobody could take over', () => {
    const fleet = sampleFleet({ b: { health: { signer: signer('refusing') } } });
    expect(of(decided(fleet, sweep), 'alert')).toMatchObject([{ kind: 'failover', severity: 'warning' }]);
    expect(sampleHealth('demo_b').connected).toBe(true);
  });
});
