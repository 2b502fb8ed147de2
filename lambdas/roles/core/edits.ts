/**
 * Which desired roles are an operator's wish, and which are what Commander left there itself. A shadow does not say
 * who wrote it, so a wish needs evidence: the change as `update/documents` showed it, or an epoch that only a
 * shadow in order carries. Without evidence the record's truth is written again, which harms nobody.
 */

import type { DesiredSeen, FleetView, NodeView, Reign, Trigger } from './fleet.ts';

/** The trigger shows that somebody else than Commander just changed this thing's desired role to what it is now. */
export function justEdited(node: NodeView, fleet: FleetView, trigger: Trigger): boolean {
  if (trigger.kind !== 'documents' || trigger.thing !== node.thing || trigger.own) return false;
  const { before, after } = trigger;
  const now = node.shadow?.desired;
  if (!after || !now || after.written === before?.written) return false;
  // What was already answered, or written over, is no wish any more.
  if (after.written !== now.written || after.epoch !== now.epoch) return false;
  return !overtaken(fleet, trigger.receivedAt);
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

/**
 * In a shadow that is in order, every validator's desired epoch is the record's: where the role alone differs, an
 * operator changed it. (Commander itself writes a role with the epoch in which it holds, which is another one as soon
 * as the role is outdated.)
 */
function carriesEpochOf(reign: Reign, { epoch }: DesiredSeen): boolean {
  return epoch === reign.epoch;
}

/** An operator wants `node`, which does not hold the role, to be active. */
export function wantsActive(node: NodeView, fleet: FleetView, reign: Reign, trigger: Trigger): boolean {
  const desired = node.shadow?.desired;
  if (desired?.role !== 'active') return false;
  // Commander never writes `active` without an epoch.
  return justEdited(node, fleet, trigger) || desired.epoch === undefined || carriesEpochOf(reign, desired);
}

/** An operator wants the holder to give the role away. */
export function wantsAway(node: NodeView, fleet: FleetView, reign: Reign, trigger: Trigger): boolean {
  const desired = node.shadow?.desired;
  if (desired?.role !== 'standby' && desired?.role !== 'maintenance') return false;
  return justEdited(node, fleet, trigger) || carriesEpochOf(reign, desired);
}
