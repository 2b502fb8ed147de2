import { describe, expect, test } from '@jest/globals';
import { edit, now, recordId, request, sampleFleet, sweep } from './sample-fleet.ts';
import {
  decided,
  grantedTo,
  grants,
  of,
  pending,
  sampleA,
  signer,
  told,
  write,
  writes,
} from './sample-steps.ts';

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

  test('void: the beat rose since it was seen still', () => {
    const beat = { key: '', recordId, epoch: 1, incarnation: 'x', beat: 5, yielded: 0 as const };
    const granted = (seen: string | undefined, some: Partial<typeof beat> | { yielded: 1 } | undefined) =>
      grants(decided(sampleFleet({}, { beat: some && { ...beat, ...some } }), request({ beat: seen })))
        .length;
    expect(granted('x/4', {})).toBe(0);
    expect(granted('w/5', {})).toBe(0);
    expect(granted('', {})).toBe(0);
    expect(granted('x/5', {})).toBe(1);
    expect(granted(undefined, {})).toBe(1);
    expect(granted('x/4', { yielded: 1 })).toBe(1);
    expect(granted('x/4', { epoch: 0 })).toBe(1);
    expect(granted('x/4', undefined)).toBe(1);
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
    // The clock was an hour ahead at that failover, and was set back since.
    const ahead = { ...lastFailover, at: now + 3_600_000 };
    expect(grants(decided(sampleFleet({}, { lastFailover: ahead }), request()))).toHaveLength(1);
    const hostsApart = { ...lastFailover, at: now + 1_000 };
    expect(grants(decided(sampleFleet({}, { lastFailover: hostsApart }), request()))).toEqual([]);
  });

  test('cool-down: none after a failover that nobody claimed, and that was called back', () => {
    const lastFailover = {
      fleet: 'demo',
      item: '#failover' as const,
      at: now - 10_000,
      from: '',
      to: '',
      reason: '',
    };
    const calledBack = { grantEpoch: 3, grantTo: '' };
    const granted = (epoch: number) =>
      grants(
        decided(sampleFleet({}, { record: calledBack, lastFailover: { ...lastFailover, epoch } }), request()),
      );
    expect(granted(2)).toEqual([['demo_b', 4]]);
    expect(granted(1)).toEqual([]);
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

  test.each([
    ['for three blocks', now - 6_001],
    ['since a time that a clock ahead noted', now + 3_600_000],
  ])('unclaimed %s, it passes on to another', (_since, grantedAt) => {
    const fleet = sampleFleet(
      { b: { desired: { role: 'active', epoch: 2 } }, c: {} },
      { record: pending, ...grantedTo('demo_b', grantedAt) },
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

  test('unclaimed, and the holder was last heard before the grant: neither called back nor passed on', () => {
    const swept = (receivedAt: number) =>
      grants(
        decided(
          sampleFleet(
            {
              a: { ...sampleA, health: { ...sampleA.health, receivedAt } },
              b: { desired: { role: 'active', epoch: 2 } },
              c: {},
            },
            { record: pending, ...grantedTo('demo_b', now - 6_001) },
          ),
          sweep,
        ),
      );
    expect(swept(now - 7_000)).toEqual([]);
    expect(swept(now - 1_000)).toEqual([['', 3]]);
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
