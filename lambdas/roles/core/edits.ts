/**
 * Which desired roles are an operator's wish, and which are what Commander left there itself. A shadow does not say
 * who wrote it, so a wish needs evidence: the change as `update/documents` showed it, an epoch that only a shadow in
 * order carries, or a time at which Commander wrote nothing of the kind. Without evidence the record's truth is
 * written again, once the edit's own event had its time to come.
 */

import { msSince } from '../../aws/ms-since.ts';
import type { FleetView, NodeView, Reign, Trigger } from './fleet.ts';

/** What one decision goes by. */
export interface Seen {
  fleet: FleetView;
  reign: Reign;
  trigger: Trigger;
  /** ms, Commander's clock. */
  now: number;
}

/** The trigger shows that somebody else than Commander just changed this thing's desired role to what it is now. */
function isEventOf(node: NodeView, trigger: Trigger): trigger is Extract<Trigger, { kind: 'documents' }> {
  if (trigger.kind !== 'documents' || trigger.thing !== node.thing || trigger.own) return false;
  const { before, after, touched } = trigger;
  const now = node.shadow?.desired;
  if (!after || !now || (after.written === before?.written && !touched)) return false;
  // What was already answered, or written over, is no wish any more.
  return after.written === now.written && after.epoch === now.epoch;
}

function justEdited(node: NodeView, fleet: FleetView, trigger: Trigger, now: number): boolean {
  return isEventOf(node, trigger) && !overtaken(fleet, trigger.receivedAt, now);
}

/** A time of a clock that was set back since: no time of now compares with it. */
function isAhead(at: number, now: number): boolean {
  return msSince(at, now) === Number.POSITIVE_INFINITY;
}

/**
 * A grant was made after this moment: a wish from before it was decided with it. Where the clock was set back since, the grant
 * was before: else no edit would count for as long as the clock was ahead.
 */
function overtaken({ lastGrant, record }: FleetView, receivedAt: number, now: number): boolean {
  return (
    lastGrant !== undefined &&
    record.state === 'read' &&
    lastGrant.recordId === record.record.recordId &&
    lastGrant.at > receivedAt &&
    isAhead(lastGrant.at, now) === isAhead(receivedAt, now)
  );
}

/** A decider that began before a grant has ended by then: the function's time-out (manifest.json) and a second's rounding. */
const decidersEndMs = 11_000;
/** An edit's own event has come by then, or is lost. */
const eventMsMax = 15_000;

/**
 * Written when no decider could still write what the last grant made outdated: Commander writes `active` to the
 * granted one alone, at its grant, and `standby` to others alone. A time ahead of now tells nothing: what was written before a
 * clock was set back would seem newer than every grant since.
 */
function writtenSinceGrant(
  { shadow }: NodeView,
  { lastGrant }: FleetView,
  { recordId, grantEpoch }: Reign,
  now: number,
): boolean {
  if (lastGrant?.recordId !== recordId || lastGrant.epoch !== grantEpoch) return false;
  const writtenAt = shadow?.desiredAt ?? 0;
  return writtenAt > lastGrant.at + decidersEndMs && !isAhead(writtenAt, now);
}

function isWish(node: NodeView, { fleet, reign, trigger, now }: Seen): boolean {
  return (
    justEdited(node, fleet, trigger, now) ||
    // In a settled fleet every validator's desired epoch is the record's; a role that outlived its epoch has another.
    node.shadow?.desired?.epoch === reign.epoch ||
    writtenSinceGrant(node, fleet, reign, now)
  );
}

/** An operator wants `node`, which does not hold the role, to be active. */
export function wantsActive(node: NodeView, seen: Seen): boolean {
  const desired = node.shadow?.desired;
  if (desired?.role !== 'active') return false;
  // Commander never writes `active` without an epoch.
  return desired.epoch === undefined || isWish(node, seen);
}

/** An operator wants the holder to give the role away. */
export function wantsAway(node: NodeView, seen: Seen): boolean {
  const role = node.shadow?.desired?.role;
  return (role === 'standby' || role === 'maintenance') && isWish(node, seen);
}

/** Too fresh to be told from an edit whose event is on its way. */
export function mayBeEdit(node: NodeView, trigger: Trigger, now: number): boolean {
  const writtenAt = node.shadow?.desiredAt;
  return !isEventOf(node, trigger) && writtenAt !== undefined && msSince(writtenAt, now) < eventMsMax;
}
