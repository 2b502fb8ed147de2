import { describe, expect, test } from '@jest/globals';
import { edit, now, recordKey, request, sampleFleet, sampleHealth, sweep } from './sample-fleet.ts';
import { decided, grants, of, signer, told, write, writes } from './sample-steps.ts';

test('a fleet in order needs nothing, whoever asks to look', () => {
  expect(decided(sampleFleet(), sweep)).toEqual([]);
  expect(decided(sampleFleet(), edit('demo_a', 'active', { role: 'active', epoch: 1 }))).toEqual([]);
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

  test('who went away before a clock was set back', () => {
    const health = { kind: 'sentry' as const, receivedAt: now + 3_600_000 };
    const alerts = (connected: boolean) =>
      of(
        decided(sampleFleet({ s: { health: { ...health, connected }, desired: { role: 'sentry' } } }), sweep),
        'alert',
      );
    expect(alerts(false)).toMatchObject([
      { thing: 'demo_s', kind: 'offline', text: expect.stringContaining('since a clock') },
    ]);
    expect(alerts(true)).toEqual([]);
  });

  test('that nobody could take over', () => {
    const fleet = sampleFleet({ b: { health: { signer: signer('refusing') } } });
    expect(of(decided(fleet, sweep), 'alert')).toMatchObject([{ kind: 'failover', severity: 'warning' }]);
    expect(sampleHealth('demo_b').connected).toBe(true);
  });
});
