/**
 * The one decider of who should sign: a pure function of the fleet's state. It makes at most one grant, and brings the
 * role shadows in line with the record and that grant. Called again on the state that its steps lead to, it
 * returns nothing to write, so duplicates, retries and its own writes' events end by themselves.
 *
 * It names who should sign; who may is the sign record's to say (design, section 4).
 */

import { align } from './align.ts';
import { choose } from './choose.ts';
import type { FitnessContext } from './fitness.ts';
import { type FleetView, type Reign, reignOf, type Trigger } from './fleet.ts';
import type { Step } from './step.ts';
import { recordTrouble, withoutRecord } from './trouble.ts';
import { noStandby, silentNodes } from './watch.ts';

/** @param now ms, Commander's clock */
export function decide(fleet: FleetView, trigger: Trigger, now: number): Step[] {
  const sweep = trigger.kind === 'sweep';
  const trouble = recordTrouble(fleet);
  if (trouble || fleet.record.state !== 'read') {
    const away = sweep ? silentNodes(fleet.fleet, fleet.nodes, undefined, now) : [];
    return trouble ? [...withoutRecord(fleet, trigger, trouble), ...away] : away;
  }
  const { record } = fleet.record;
  const asking = trigger.kind === 'request' ? trigger.request : undefined;
  const context: FitnessContext = { nodes: fleet.nodes, record, recordKey: record.key, now, asking };
  const reign = reignOf(record);
  const { grant, refusals, alerts, explain } = choose({ fleet, reign, trigger, context });

  const steps: Step[] = [];
  let after = reign;
  if (grant) {
    const epoch = reign.grantEpoch + 1;
    const { recordId, holder } = reign;
    const { to, by, reason } = grant;
    after = { ...reign, grantEpoch: epoch, pending: to === '' ? undefined : { to, epoch } };
    steps.push({ step: 'grant', recordId, grantEpochSeen: reign.grantEpoch, to });
    steps.push({
      step: 'noteGrant',
      recordId,
      epoch,
      fromEpoch: reign.epoch,
      to,
      from: holder,
      at: now,
      by,
      reason: reason.slice(0, 300),
    });
    if (by === 'automatic' && to !== '') {
      steps.push({ step: 'noteFailover', at: now, epoch, from: holder, to, reason: reason.slice(0, 300) });
    }
  } else if (reign.pending && !noted(fleet, reign)) {
    steps.push(...noteFound(reign, reign.pending, asking !== undefined, now));
  }
  steps.push(...align({ fleet, reign: after, trigger, refusals, now }));
  if (grant) steps.push(granted(fleet, after, grant));
  steps.push(...alerts);
  if (explain) steps.push({ step: 'explain', text: explain });
  if (sweep) {
    steps.push(
      ...silentNodes(fleet.fleet, fleet.nodes, reign.holder, now),
      ...noStandby(fleet.fleet, context),
    );
  }
  return steps;
}

function noted({ lastGrant }: FleetView, { recordId, grantEpoch }: Reign): boolean {
  return lastGrant?.recordId === recordId && lastGrant.epoch === grantEpoch;
}

/** A grant whose decider ended before it wrote it down: its three blocks count from now. */
function noteFound(
  { recordId, holder, epoch: fromEpoch }: Reign,
  { to, epoch }: { to: string; epoch: number },
  asked: boolean,
  now: number,
): Step[] {
  const reason = 'found in the record';
  const by = 'unknown';
  const note: Step = { step: 'noteGrant', recordId, epoch, to, from: holder, fromEpoch, at: now, by, reason };
  // A standby asks, so it was an automatic one, as far as one can tell: the cool-down holds after it.
  return asked ? [note, { step: 'noteFailover', at: now, epoch, from: holder, to, reason }] : [note];
}

function granted(
  { fleet }: FleetView,
  { pending, holder, grantEpoch }: Reign,
  { by, reason }: { by: string; reason: string },
): Step {
  const text = pending
    ? `${fleet}: ${pending.to} is to sign from epoch ${pending.epoch} on, after ${holder || 'nobody'} (${by}): ${reason}`
    : `${fleet}: the grant before epoch ${grantEpoch} was called back: ${reason}`;
  return {
    step: 'alert',
    thing: pending?.to ?? holder,
    kind: 'failover',
    severity: by === 'automatic' ? 'warning' : 'info',
    text: text.slice(0, 1000),
    quietMs: 0,
  };
}
