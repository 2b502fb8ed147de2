/**
 * Which desired roles are an operator's wish, and which are what Commander left there itself. A shadow does not say
 * who wrote it, so a wish needs evidence: the change as `update/documents` showed it, an epoch that only a shadow in
 * order carries, or a time at which Commander wrote nothing of the kind. Without evidence the record's truth is
 * written again, once the edit's own event had its time to come.
 */

import type { FleetView, NodeView, Reign, Trigger } from './fleet.ts';

/** The trigger shows that somebody else than Commander just changed this thing's desired role to what it is now. */
function isEventOf(node: NodeView, trigger: Trigger): trigger is Extract<Trigger, { kind: 'documents' }> {
  if (trigger.kind !== 'documents' || trigger.thing !== node.thing || trigger.own) return false;
  const { before, after, touched } = trigger;
  const now = node.shadow?.desired;
  if (!after || !now || (after.written === before?.written && !touched)) return false;
  // What was already answered, or written over, is no wish any more.
  return after.written === now.written && after.epoch === now.epoch;
}

function justEdited(node: NodeView, fleet: FleetView, trigger: Trigger): boolean {
  return isEventOf(node, trigger) && !overtaken(fleet, trigger.receivedAt);
}

/** A grant was made after this moment: a wish from before it was decided with it. */
function overtaken({ lastGrant, record }: FleetView, receivedAt: number): boolean {
  return (
    lastGrant !== undefined &&
    record.state === 'read' &&
    lastGrant.recordId === record.record.recordId &&
    lastGrant.at > receivedAt
  );
}

/** A decider that began before a grant has ended by then: the function's time-out (manifest.json) and a second's rounding. */
const decidersEndMs = 11_000;
/** An edit's own event has come by then, or is lost. */
const eventMsMax = 15_000;

/**
 * Written when no decider could still write what the last grant made outdated: Commander writes `active` to the
 * granted one alone, at its grant, and `standby` to others alone.
 */
function writtenSinceGrant(
  { shadow }: NodeView,
  { lastGrant }: FleetView,
  { recordId, grantEpoch }: Reign,
): boolean {
  if (lastGrant?.recordId !== recordId || lastGrant.epoch !== grantEpoch) return false;
  return (shadow?.desiredAt ?? 0) > lastGrant.at + decidersEndMs;
}

function isWish(node: NodeView, fleet: FleetView, reign: Reign, trigger: Trigger): boolean {
  return (
    justEdited(node, fleet, trigger) ||
    // In a settled fleet every validator's desired epoch is the record's; a role that outlived its epoch has another.
    node.shadow?.desired?.epoch === reign.epoch ||
    writtenSinceGrant(node, fleet, reign)
  );
}

/** An operator wants `node`, which does not hold the role, to be active. */
export function wantsActive(node: NodeView, fleet: FleetView, reign: Reign, trigger: Trigger): boolean {
  const desired = node.shadow?.desired;
  if (desired?.role !== 'active') return false;
  // Commander never writes `active` without an epoch.
  return desired.epoch === undefined || isWish(node, fleet, reign, trigger);
}

/** An operator wants the holder to give the role away. */
export function wantsAway(node: NodeView, fleet: FleetView, reign: Reign, trigger: Trigger): boolean {
  const role = node.shadow?.desired?.role;
  return (role === 'standby' || role === 'maintenance') && isWish(node, fleet, reign, trigger);
}

/** Too fresh to be told from an edit whose event is on its way. */
export function mayBeEdit(node: NodeView, trigger: Trigger, now: number): boolean {
  const writtenAt = node.shadow?.desiredAt;
  return !isEventOf(node, trigger) && writtenAt !== undefined && now - writtenAt < eventMsMax;
}
