/** Brings every desired role in line with who should sign. */

import { msSince } from '../../aws/ms-since.ts';
import { mayBeEdit, type Seen, wantsActive } from './edits.ts';
import { type FleetView, intended, kindOf, type NodeView, type Trigger } from './fleet.ts';
import type { RoleWrite, Step } from './step.ts';

/** `reign` as it is after this decision's grant. */
export interface AlignInput extends Seen {
  refusals: ReadonlyMap<string, string>;
}

/** Writes of role shadows, the one who should sign first, each refusal with an alert. */
export function align(input: AlignInput): Step[] {
  const active = intended(input.reign);
  const nodes = [...input.fleet.nodes].sort(
    (a, b) => Number(b.thing === active) - Number(a.thing === active),
  );
  return nodes.flatMap((node) => {
    const write = wantedWrite(node, input) ?? withoutOldReason(node, input);
    if (!write) return [];
    const step: Step = { step: 'writeRole', ...write };
    return write.reason ? [step, refusalAlert(input.fleet, node, write.reason)] : [step];
  });
}

function refusalAlert({ fleet }: FleetView, { thing, shadow }: NodeView, reason: string): Step {
  const written = shadow?.desired?.written ?? 'nothing';
  return {
    step: 'alert',
    thing,
    kind: 'role-edit-refused',
    severity: 'warning',
    text: `${fleet}: desired role ${JSON.stringify(written)} of ${thing} was put back: ${reason}`,
    quietMs: 0,
  };
}

function wantedWrite(node: NodeView, input: AlignInput): RoleWrite | undefined {
  const kind = kindOf(node);
  if (kind === 'sentry') return sentryWrite(node);
  const { reign } = input;
  if (node.thing === intended(reign)) return activeWrite(node, input);
  // It signs until the other one claimed, and its desired role stays as it is until then.
  if (node.thing === reign.holder) return undefined;
  if (kind === undefined && node.shadow?.desired?.role !== 'active') return undefined;
  return standbyWrite(node, input);
}

/** So long it is to be read why an edit was put back. Later, with all in order, it would tell of a trouble that is over. */
const reasonStandsMs = 60 * 60_000;

function withoutOldReason(
  { thing, shadow }: NodeView,
  { reign, trigger, now }: AlignInput,
): RoleWrite | undefined {
  const role = shadow?.desired?.role;
  if (trigger.kind !== 'sweep' || reign.pending || !role || !shadow.explained) return undefined;
  if (shadow.desiredAt === undefined || msSince(shadow.desiredAt, now) < reasonStandsMs) return undefined;
  return { thing, version: shadow.version, role, epoch: undefined, reason: null };
}

const bounded = (reason: string) => (reason.length <= 300 ? reason : `${reason.slice(0, 297)}...`);

function sentryWrite({ thing, shadow }: NodeView): RoleWrite | undefined {
  const desired = shadow?.desired;
  if (desired?.role === 'sentry' || desired?.role === 'maintenance') return undefined;
  const reason =
    desired && `a sentry can't be ${JSON.stringify(desired.written)}: it is "sentry" or "maintenance"`;
  return {
    thing,
    version: shadow?.version,
    role: 'sentry',
    epoch: undefined,
    reason: reason ? bounded(reason) : null,
  };
}

function noRole(written: string): string {
  return written === 'sentry'
    ? 'a validator\'s server can\'t be "sentry": it is "active", "standby" or "maintenance"'
    : `${JSON.stringify(written)} is no role: it is "active", "standby" or "maintenance"`;
}

function activeWrite(node: NodeView, { reign, trigger, refusals, now }: AlignInput): RoleWrite | undefined {
  const { thing, shadow } = node;
  const epoch = reign.pending?.epoch ?? reign.epoch;
  const desired = shadow?.desired;
  if (desired?.role === 'active' && desired.epoch === epoch) return undefined;
  const wrong = desired && (desired.role === undefined || desired.role === 'sentry');
  const otherRole = desired && !wrong && desired.role !== 'active';
  if (otherRole && !reign.pending && !refusals.has(thing) && mayBeEdit(node, trigger, now)) return undefined;
  // What was said about an earlier edit stands until the role is given anew.
  const given = desired?.role === 'active' && !reign.pending ? undefined : null;
  const reason = refusals.get(thing) ?? (wrong ? noRole(desired.written) : given);
  return { thing, version: shadow?.version, role: 'active', epoch, reason: reason && bounded(reason) };
}

function standbyWrite(node: NodeView, input: AlignInput): RoleWrite | undefined {
  const { fleet, reign, trigger, refusals, now } = input;
  const { thing, shadow } = node;
  const desired = shadow?.desired;
  const put = (role: 'standby' | 'maintenance', reason: string | null | undefined): RoleWrite => ({
    thing,
    version: shadow?.version,
    role,
    epoch: reign.epoch,
    reason: reason && bounded(reason),
  });
  if (!desired) return put('standby', null);
  if (desired.role === 'standby' || desired.role === 'maintenance') {
    return desired.epoch === reign.epoch ? undefined : put(desired.role, undefined);
  }
  const back = roleBefore(node, trigger);
  if (desired.role === undefined || desired.role === 'sentry') return put(back, noRole(desired.written));
  const refused = refusals.get(thing);
  if (refused !== undefined) return put(back, refused);
  if (leftByUs(node, fleet)) return put('standby', null);
  return mayBeEdit(node, trigger, now) ? undefined : put('standby', notTheHolder(node, input));
}

/** What an operator's refused edit goes back to. */
function roleBefore({ thing }: NodeView, trigger: Trigger): 'standby' | 'maintenance' {
  const changed = trigger.kind === 'documents' && trigger.thing === thing;
  return changed && trigger.before?.role === 'maintenance' ? 'maintenance' : 'standby';
}

/** Its `active` is what Commander wrote: a switch took the role from it, or passed it by. */
function leftByUs({ thing, shadow }: NodeView, { lastGrant }: FleetView): boolean {
  const epoch = shadow?.desired?.epoch;
  const { role, epoch: held } = shadow?.reported ?? {};
  return (
    (lastGrant?.from === thing && lastGrant.fromEpoch === epoch) ||
    (lastGrant?.to === thing && lastGrant.epoch === epoch) ||
    ((role === 'active' || role === 'fenced') && held === epoch)
  );
}

function notTheHolder(node: NodeView, seen: Seen): string {
  const { reign } = seen;
  if (reign.pending)
    return `a switch to ${reign.pending.to} is under way: see what became of it, then try again`;
  const holder = reign.holder || 'nobody';
  if (wantsActive(node, seen)) return `${holder} has the role`;
  return `${holder} holds the role in epoch ${reign.epoch}; to switch, set "active" again`;
}
