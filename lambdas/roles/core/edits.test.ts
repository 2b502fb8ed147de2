import { describe, expect, test } from '@jest/globals';
import { parseEvent } from '../events.ts';
import { edit, now, request, sampleFleet, sweep } from './sample-fleet.ts';
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

/** Epoch 1, a moment ago: other deciders may still be at work. */
const justGranted = { lastGrant: { ...grantedTo('demo_a', now - 3000).lastGrant, epoch: 1, from: '' } };

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

  test('a stale epoch, met before its own event: left for that, which switches', () => {
    const desired = { role: 'active', epoch: 0 };
    const fleet = sampleFleet({ b: { desired, desiredAt: now - 1000 } }, justGranted);
    expect(decided(fleet, edit('demo_a', 'active', { role: 'active', epoch: 1 }))).toEqual([]);
    expect(grants(decided(fleet, edit('demo_b', 'standby', desired)))).toEqual([['demo_b', 2]]);
  });

  test('the holder to standby with a stale epoch, met before its own event: left for that', () => {
    const desired = { role: 'standby', epoch: 0 };
    const fleet = sampleFleet({ a: { ...sampleA, desired, desiredAt: now - 1000 } }, justGranted);
    expect(decided(fleet, edit('demo_b', 'standby', { role: 'standby', epoch: 1 }))).toEqual([]);
    expect(grants(decided(fleet, edit('demo_a', 'active', desired)))).toEqual([['demo_b', 2]]);
  });

  test('a lost event and a stale epoch, but written long after the last grant: a wish', () => {
    const desired = { role: 'active', epoch: 0 };
    const fleet = sampleFleet({ b: { desired, desiredAt: now - 20_000 } });
    expect(grants(decided(fleet, sweep))).toEqual([['demo_b', 2]]);
  });

  test('active again, before the last switch was cleaned up after: a wish all the same', () => {
    const desired = { role: 'active', epoch: 1 };
    const fleet = sampleFleet(
      {
        a: { ...sampleA, desired, desiredAt: now },
        b: { desired: { role: 'active', epoch: 2 }, reported: 'active' },
      },
      { record: { ...pending, epoch: 2, holder: 'demo_b' }, ...grantedTo('demo_b', now - 900) },
    );
    const again = edit('demo_a', 'active', desired);
    expect(grants(decided(fleet, { ...again, touched: true }))).toEqual([['demo_a', 3]]);
    expect(grants(decided(fleet, again))).toEqual([]);
  });

  describe('after a clock that was an hour ahead was set back', () => {
    const ahead = now + 3_600_000;

    test('an edit counts, though the last grant seems to be later', () => {
      const desired = { role: 'active', epoch: 0 };
      const fleet = sampleFleet(
        { b: { desired, desiredAt: now - 1000 } },
        { lastGrant: { ...justGranted.lastGrant, at: ahead } },
      );
      expect(grants(decided(fleet, edit('demo_b', 'standby', desired)))).toEqual([['demo_b', 2]]);
      // Both of them were ahead.
      expect(grants(decided(fleet, edit('demo_b', 'standby', desired, ahead - 1000)))).toEqual([]);
    });

    test('what Commander had written is no wish that came after the last grant: no switch back', () => {
      const fleet = sampleFleet(
        {
          a: { ...sampleA, desiredAt: ahead },
          b: { desired: { role: 'active', epoch: 2 }, reported: 'active' },
        },
        { record: { ...pending, epoch: 2, holder: 'demo_b' }, ...grantedTo('demo_b', now - 900) },
      );
      const steps = decided(fleet, sweep);
      expect(grants(steps)).toEqual([]);
      expect(writes(steps)).toEqual([write('demo_a', 'standby', 2)]);
    });

    test('what no event bears out is not left as it is for an hour', () => {
      const fleet = sampleFleet({ b: { desired: { role: 'active', epoch: 0 }, desiredAt: ahead } });
      expect(writes(decided(fleet, sweep))).toEqual([
        write('demo_b', 'standby', 1, expect.stringContaining('set "active" again')),
      ]);
    });

    test('the same role again is seen to be written, be it at an earlier time', () => {
      const at = (seconds: number) => ({
        state: { desired: { role: 'active', epoch: 1 } },
        metadata: { desired: { role: { timestamp: seconds } } },
      });
      const event = (previous: number, current: number) =>
        parseEvent({
          trigger: 'role-documents',
          sender: 'demo_b',
          receivedAt: now,
          previous: at(previous),
          current: at(current),
        });
      expect(event(4600, 1000)).toMatchObject({ trigger: { touched: true } });
      expect(event(1000, 1000)).toMatchObject({ trigger: { touched: false } });
    });
  });

  test('why an edit was put back stands for an hour, then the sweep takes it away', () => {
    const b = (agoMs: number) => ({ b: { desiredAt: now - agoMs, explained: true } });
    expect(writes(decided(sampleFleet(b(3_599_000)), sweep))).toEqual([]);
    expect(writes(decided(sampleFleet(b(3_600_000)), sweep))).toEqual([
      write('demo_b', 'standby', undefined),
    ]);
    const switching = sampleFleet(
      { ...b(3_600_000), c: { desired: { role: 'active', epoch: 2 } } },
      { record: { ...pending, grantTo: 'demo_c' }, ...grantedTo('demo_c', now - 100) },
    );
    expect(writes(decided(switching, sweep))).toEqual([]);
  });

  test('an unfit standby to active: put back with the reason', () => {
    const desired = { role: 'active', epoch: 1 };
    const fleet = sampleFleet({ b: { desired, health: { signer: signer('unenrolled') } } });
    const steps = decided(fleet, edit('demo_b', 'maintenance', desired));
    expect(grants(steps)).toEqual([]);
    expect(writes(steps)).toEqual([write('demo_b', 'maintenance', 1, expect.stringContaining('unenrolled'))]);
    expect(told(steps)).toEqual(['role-edit-refused']);
  });

  test.each(['monitor', 'config', 'dry-run'] as const)(
    'a server in mode %s to active: put back with the reason, and no failover goes to it',
    (mode) => {
      const desired = { role: 'active', epoch: 1 };
      const steps = decided(
        sampleFleet({ b: { desired, health: { mode } } }),
        edit('demo_b', 'standby', desired),
      );
      expect(grants(steps)).toEqual([]);
      expect(writes(steps)).toEqual([
        write('demo_b', 'standby', 1, expect.stringContaining(`mode "${mode}"`)),
      ]);
      expect(told(steps)).toEqual(['role-edit-refused']);
      expect(grants(decided(sampleFleet({ b: { health: { mode } } }), request()))).toEqual([]);
      expect(grants(decided(sampleFleet({ b: { health: { mode: 'sign' } } }), request()))).toEqual([
        ['demo_b', 2],
      ]);
    },
  );

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
    expect(writes(steps)).toEqual([write('demo_a', 'standby', 2, expect.stringContaining('demo_b holds'))]);
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
