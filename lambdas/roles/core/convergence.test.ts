/**
 * A fleet under random edits, deletions, requests, lost, late and repeated events, and deciders that end half way.
 * Whatever happened: once it is quiet, a few sweeps later one server is desired active, and it is the record's.
 */

import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { applyUpdate, claim, grant, type SignRecord, signRecord } from '../../../protocol/sign-record.ts';
import { desiredSeen, isExplained } from '../events.ts';
import { decide } from './decide.ts';
import { intended, reignOf, type Trigger } from './fleet.ts';
import { recordId, recordKey, sampleFleet, sampleHealth, sampleRecord } from './sample-fleet.ts';
import type { Step } from './step.ts';

const validators = ['demo_a', 'demo_b', 'demo_c'];
const things = [...validators, 'demo_s'];

interface Shadow {
  version: number;
  desired: Record<string, unknown> | undefined;
  desiredAt: number | undefined;
}

class Model {
  now = 1_000_000;
  record: SignRecord = sampleRecord({ epoch: 0, holder: '', grantEpoch: 0, grantTo: '' });
  readonly shadows = new Map<string, Shadow>();
  readonly events: Trigger[] = [];
  readonly dead: Set<string>;
  lastGrant: ReturnType<typeof sampleFleet>['lastGrant'];
  lastFailover: ReturnType<typeof sampleFleet>['lastFailover'];
  grants = 0;

  constructor(dead: readonly string[]) {
    this.dead = new Set(dead);
  }

  view() {
    const fleet = sampleFleet(
      { c: {} },
      { record: this.record, lastGrant: this.lastGrant, lastFailover: this.lastFailover },
    );
    return {
      ...fleet,
      nodes: fleet.nodes.map((node) => {
        const { thing } = node;
        const shadow = this.shadows.get(thing);
        const holds = this.record.holder === thing;
        const role =
          thing === 'demo_s' ? ('sentry' as const) : holds ? ('active' as const) : ('standby' as const);
        const health = sampleHealth(thing, {
          ...(thing === 'demo_s' ? { kind: 'sentry' as const } : {}),
          role,
          receivedAt: this.dead.has(thing) ? 0 : this.now - 1000,
          ...(thing === 'demo_s'
            ? {}
            : {
                signer: {
                  state: holds ? ('active' as const) : ('standby' as const),
                  address: 'AA',
                  recordKey,
                  recordId,
                  epoch: this.record.epoch,
                  height: 99,
                },
              }),
        });
        return {
          thing,
          health,
          shadow: shadow && {
            version: shadow.version,
            desired: desiredSeen(shadow.desired),
            desiredAt: shadow.desiredAt,
            explained: isExplained(shadow.desired),
            reported: { role, epoch: this.record.epoch, since: '', reason: '' },
          },
        };
      }),
    };
  }

  /** As UpdateThingShadow: merges, and tells. */
  write(thing: string, desired: Record<string, unknown> | null, own: boolean): void {
    const shadow = this.shadows.get(thing) ?? { version: 0, desired: undefined, desiredAt: undefined };
    const before = desiredSeen(shadow.desired);
    const merged = desired === null ? undefined : { ...shadow.desired, ...desired };
    const desiredAt = Math.floor(this.now / 1000) * 1000;
    this.shadows.set(thing, { version: shadow.version + 1, desired: merged, desiredAt });
    this.events.push({
      kind: 'documents',
      thing,
      receivedAt: this.now,
      own,
      touched: desiredAt > (shadow.desiredAt ?? 0),
      before,
      after: desiredSeen(merged),
    });
  }

  claim(): boolean {
    const { grantTo, grantEpoch, epoch } = this.record;
    if (grantEpoch <= epoch || this.dead.has(grantTo)) return false;
    const holding = { recordId, epoch: grantEpoch, holder: grantTo, incarnation: 'x' };
    const after = applyUpdate({ ...this.record }, claim(recordKey, holding));
    if (!after) return false;
    this.record = signRecord.parse(after);
    return true;
  }

  /** Decides and carries out; `stepsMax`: the decider ends after so many steps. @returns the writes it made. */
  decide(trigger: Trigger, stepsMax = Number.POSITIVE_INFINITY): Step[] {
    const view = this.view();
    const { holder } = this.record;
    const steps = decide(view, trigger, this.now).filter(
      ({ step }) => step !== 'alert' && step !== 'explain',
    );
    expect(steps.filter(({ step }) => step === 'grant').length).toBeLessThanOrEqual(1);
    for (const step of steps.slice(0, stepsMax)) {
      if (step.step === 'grant') {
        const seen = { recordId: step.recordId, grantEpoch: step.grantEpochSeen };
        const after = applyUpdate({ ...this.record }, grant(recordKey, seen, step.to));
        expect(after).toBeDefined();
        this.record = signRecord.parse(after);
        this.grants++;
      } else if (step.step === 'noteGrant') {
        const { step: _, ...note } = step;
        this.lastGrant = { fleet: 'demo', item: '#grant', ...note };
      } else if (step.step === 'noteFailover') {
        const { step: _, ...note } = step;
        this.lastFailover = { fleet: 'demo', item: '#failover', ...note };
      } else if (step.step === 'writeRole') {
        expect(this.shadows.get(step.thing)?.version).toBe(step.version);
        // Nobody is told to stand by before another one claimed.
        if (step.thing === holder) expect(step.role).toBe('active');
        this.write(
          step.thing,
          { role: step.role, epoch: step.epoch, reason: step.reason ?? undefined },
          true,
        );
      }
    }
    return steps;
  }
}

const thing = fc.constantFrom(...things);
const action = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('edit' as const),
      thing,
      role: fc.constantFrom('active', 'standby', 'maintenance', 'sentry', 'king', 7),
      epoch: fc.constantFrom('keep', 0, 1, 2, 3, 999, -4, 'x'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('delete' as const), thing }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('request' as const), thing: fc.constantFrom(...validators) }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('deliver' as const),
      at: fc.nat(20),
      again: fc.boolean(),
      stepsMax: fc.constantFrom(1, 2, 99, 99, 99),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('claim' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('sweep' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(1, 500, 7_000, 61_000) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('lose' as const) }) },
);
type Action = typeof action extends fc.Arbitrary<infer A> ? A : never;

function act(model: Model, one: Action): void {
  model.now += 1;
  switch (one.do) {
    case 'edit':
      model.write(
        one.thing,
        { role: one.role, ...(one.epoch === 'keep' ? {} : { epoch: one.epoch }) },
        false,
      );
      return;
    case 'delete':
      model.write(one.thing, null, false);
      return;
    case 'request': {
      const { epoch, holder, height } = model.record;
      const envelope = { v: 1 as const, thing: one.thing, bootId: 'boot', seq: 1, at: 0 };
      const request = {
        ...envelope,
        reason: 'beat-still' as const,
        recordId,
        epoch,
        holder,
        height,
        nodeHeight: 100,
      };
      if (!model.dead.has(one.thing)) model.decide({ kind: 'request', request, receivedAt: model.now });
      return;
    }
    case 'deliver': {
      const at = one.at % Math.max(1, model.events.length);
      const event = model.events[at];
      if (!event) return;
      if (!one.again) model.events.splice(at, 1);
      model.decide(event, one.stepsMax);
      return;
    }
    case 'claim':
      model.claim();
      return;
    case 'sweep':
      model.decide({ kind: 'sweep' });
      return;
    case 'wait':
      model.now += one.ms;
      return;
    case 'lose':
      model.events.length = 0;
  }
}

/** What is under way ends: events arrive, the granted one claims, the sweep looks. @returns the sweeps it took. */
function calm(model: Model): number {
  const sweepsMax = 8;
  for (let sweeps = 1; sweeps <= sweepsMax; sweeps++) {
    for (let deliveries = 0; model.events.length > 0; deliveries++) {
      expect(deliveries).toBeLessThan(200);
      const event = model.events.shift();
      if (event) model.decide(event);
      model.now += 5;
    }
    const claimed = model.claim();
    model.now += 60_000;
    const written = model.decide({ kind: 'sweep' });
    if (!claimed && written.length === 0 && model.events.length === 0) return sweeps;
  }
  throw new Error(`no rest after ${sweepsMax} sweeps: ${JSON.stringify(model.record)}`);
}

test('whatever was edited, lost, repeated or left half done: one active, the record’s, and rest', () => {
  fc.assert(
    fc.property(
      fc.array(action, { maxLength: 40 }),
      fc.subarray(validators, { maxLength: 2 }),
      (actions, dead) => {
        const model = new Model(dead);
        for (const one of actions) act(model, one);
        calm(model);
        const reign = reignOf(model.record);
        const active = validators.filter(
          (name) => desiredSeen(model.shadows.get(name)?.desired)?.role === 'active',
        );
        const expected = [intended(reign), reign.pending ? reign.holder : ''].filter(Boolean);
        expect(active.filter((name) => !expected.includes(name))).toEqual([]);
        if (intended(reign)) expect(active).toContain(intended(reign));
        expect(model.shadows.get('demo_s')?.desired?.role).toMatch(/^(sentry|maintenance)$/);
        // Every grant needs somebody who wanted it; rest is not bought by switching to and fro.
        expect(model.grants).toBeLessThanOrEqual(actions.length + 2);
      },
    ),
    { numRuns: 300 },
  );
});
