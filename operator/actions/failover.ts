/**
 * A planned switch: the standby's role shadow is edited, Commander grants, its signer claims. The same act as an edit in
 * AWS's console; what this adds is the choice of a standby, and the wait for what becomes of it.
 */

import { parseThingName, thingName } from '../../protocol/names.ts';
import { reportedRoleState } from '../../protocol/shadows.ts';
import { ActionError, InvalidInputError } from './errors.ts';
import { type FleetSummary, listFleet, type NodeSummary, text } from './list-fleet.ts';
import type { Operator } from './operator.ts';
import { readSignRecord } from './read-fleet.ts';
import { readShadow, type ShadowUpdate, writeShadow } from './shadow-document.ts';

export interface Failover {
  fleet: string;
  /** A node's or thing's name; undefined: the best standby. */
  to?: string;
  /** False: the edit is sent, and that is all. */
  wait?: boolean;
  /** For the claim, and again for the reports. */
  timeoutMs?: number;
  dryRun?: boolean;
  signal?: AbortSignal;
}

export interface FailoverResult {
  fleet: string;
  /** Empty before the first one. */
  from: string;
  to: string;
  epochBefore: number;
  /** Null where it was not waited for. */
  epochAfter: number | null;
  /** What is sent to the role shadow of `to`, or would be. */
  document: ShadowUpdate;
  sent: boolean;
  /** ms from the edit to the claim in the sign record. */
  claimedMs: number | null;
  /** ms from the edit until both servers reported their new roles. */
  settledMs: number | null;
  /** Reports that did not come in time; the switch itself is done. */
  missing: string[];
}

const timeoutMsDefault = 30_000;
const pollMs = 50;

/** @throws InvalidInputError for names that are not there; ActionError where nobody is fit, it is refused, or takes too long */
export async function failover(operator: Operator, request: Failover): Promise<FailoverResult> {
  const { wait = true, timeoutMs = timeoutMsDefault, dryRun = false, signal } = request;
  const seen = await listFleet(operator, request.fleet);
  const { fleet, record, config } = seen;
  if (!config?.recordKey) {
    throw new ActionError(
      `fleet ${fleet} names no sign record, so nobody can be granted the right to sign: enrol its signer, then "beam fleet configure ${fleet} --record-key KEY"`,
    );
  }
  if (!record) {
    throw new ActionError(
      `the sign record ${config.recordKey} is missing: enrol it ("beam signer enrol") before any switch`,
    );
  }
  const { epoch: epochBefore, holder: from } = record;
  const { thing: to } = target(seen, request.to);
  const document: ShadowUpdate = { state: { desired: { role: 'active' } } };
  const result: FailoverResult = {
    fleet,
    from,
    to,
    epochBefore,
    epochAfter: null,
    document,
    sent: !dryRun,
    claimedMs: null,
    settledMs: null,
    missing: [],
  };
  if (dryRun) return result;

  const { clock } = operator;
  const startedMs = clock.monotonic();
  const sinceMs = () => Math.round(clock.monotonic() - startedMs);
  await cleanedUp(operator, to, signal);
  await writeShadow(operator, to, 'role', document);
  if (!wait) return result;

  const epochAfter = await claimed(operator, { key: record.key, to, epochBefore, timeoutMs, signal });
  const claimedMs = sinceMs();
  const missing = await reports(operator, seen, { from, to, timeoutMs, signal });
  return { ...result, epochAfter, claimedMs, settledMs: missing.length === 0 ? sinceMs() : null, missing };
}

/** Commander has the last word on who is fit; this only leaves out who plainly is not. */
function target({ fleet, nodes, record }: FleetSummary, name: string | undefined): NodeSummary {
  const validators = nodes.filter(({ kind }) => kind !== 'sentry');
  if (name !== undefined) {
    const thing = parseThingName(name) ? name : thingNameOf(fleet, name);
    const found = nodes.find((node) => node.thing === thing);
    const names = validators.map(({ node }) => node).join(', ') || 'none';
    if (!found) throw new InvalidInputError(`fleet ${fleet} has no node ${name}; its validators: ${names}`);
    if (found.kind === 'sentry') {
      throw new InvalidInputError(
        `${found.thing} is a sentry and never signs; the validators of ${fleet}: ${names}`,
      );
    }
    if (found.holder) {
      throw new InvalidInputError(
        `${found.thing} holds the role already, in epoch ${record?.epoch}: nothing to switch`,
      );
    }
    return found;
  }
  const away = nodes.find(({ holder }) => holder)?.zone ?? null;
  const elsewhere = ({ zone }: NodeSummary) => (away !== null && zone !== null && zone !== away ? 1 : 0);
  const [best] = validators
    .filter((node) => whyNot(node) === undefined)
    .sort(
      (a, b) =>
        elsewhere(b) - elsewhere(a) || (b.height ?? 0) - (a.height ?? 0) || (a.thing < b.thing ? -1 : 1),
    );
  if (best) return best;
  const reasons = validators.flatMap((node) => whyNot(node) ?? []).join('; ');
  throw new ActionError(`nobody in ${fleet} could take over: ${reasons || 'it has no validator'}`);
}

function thingNameOf(fleet: string, node: string): string {
  try {
    return thingName(fleet, node);
  } catch {
    throw new InvalidInputError(
      `${JSON.stringify(node)} can't be a node's name: it has 1 to 32 of a-z, 0-9 and -`,
    );
  }
}

function whyNot(node: NodeSummary): string | undefined {
  const { thing, mode, holder, connected, silent, healthAgeMs, role } = node;
  const { desiredRole, gaiad, signer, catchingUp } = node;
  if (holder) return `${thing} holds the role`;
  if (healthAgeMs === null) return `no health message came from ${thing} yet`;
  if (!connected || silent) return `${thing} is offline`;
  if (mode !== null && mode !== 'sign') return `${thing} is in mode "${mode}", where Beam does not sign`;
  if (role === 'maintenance' || desiredRole === 'maintenance') return `${thing} is in maintenance`;
  if (gaiad !== 'running' || catchingUp) return `gaiad on ${thing} is ${catchingUp ? 'catching up' : gaiad}`;
  // The table may show the moment before the last switch: one that is `active` there no longer holds the role.
  const able = signer !== null && ['standby', 'fenced', 'claiming', 'active'].includes(signer);
  if (!able) return `the signer of ${thing} is ${signer ?? 'not there'}`;
  return undefined;
}

const cleanUpMsMax = 5_000;

/** The shadow of one that just lost the role says `active` until Commander wrote it: an edit to the same would be none. */
async function cleanedUp(operator: Operator, to: string, signal: AbortSignal | undefined): Promise<void> {
  const { clock } = operator;
  const endMs = clock.monotonic() + cleanUpMsMax;
  while (clock.monotonic() < endMs) {
    const shadow = await readShadow(operator, to, 'role');
    if (text(shadow?.desired, 'role') !== 'active') return;
    await clock.sleep(pollMs, signal);
  }
}

interface Wait {
  to: string;
  timeoutMs: number;
  signal: AbortSignal | undefined;
}

/** @returns the epoch of the claim */
async function claimed(
  operator: Operator,
  { key, to, epochBefore, timeoutMs, signal }: Wait & { key: string; epochBefore: number },
): Promise<number> {
  const { clock } = operator;
  const endMs = clock.monotonic() + timeoutMs;
  let granted = false;
  while (clock.monotonic() < endMs) {
    const [record, shadow] = await Promise.all([
      readSignRecord(operator, key),
      readShadow(operator, to, 'role'),
    ]);
    if (record && record.epoch > epochBefore) {
      if (record.holder === to) return record.epoch;
      throw new ActionError(
        `${record.holder} took the role in epoch ${record.epoch} instead of ${to}: another switch came first; look at the fleet, then try again`,
      );
    }
    granted ||= record !== undefined && record.grantEpoch > epochBefore && record.grantTo === to;
    if (text(shadow?.desired, 'role') !== 'active') {
      const reason = text(shadow?.desired, 'reason') ?? 'without a reason';
      throw new ActionError(
        `the switch to ${to} was refused, and ${to} put back to ${text(shadow?.desired, 'role')}: ${reason}`,
      );
    }
    await clock.sleep(pollMs, signal);
  }
  throw new ActionError(
    granted
      ? `${to} was granted the role, but did not claim it within ${timeoutMs / 1000} s: look at its signer ("beam fleet show ${parseThingName(to)?.fleet}")`
      : `nothing came of the switch to ${to} within ${timeoutMs / 1000} s: is Commander running? Look at the log of its roles function`,
  );
}

/** @returns what was not reported in time */
async function reports(
  operator: Operator,
  { nodes }: FleetSummary,
  { from, to, timeoutMs, signal }: Wait & { from: string },
): Promise<string[]> {
  const { clock } = operator;
  const endMs = clock.monotonic() + timeoutMs;
  const old = nodes.find(({ thing }) => thing === from);
  const waitsForOld = old?.connected && !old.silent;
  const roleOf = async (thing: string) =>
    reportedRoleState.safeParse((await readShadow(operator, thing, 'role'))?.reported).data?.role;
  for (;;) {
    const [newRole, oldRole] = await Promise.all([roleOf(to), waitsForOld ? roleOf(from) : undefined]);
    const missing = [
      ...(newRole === 'active' ? [] : [`${to} reports ${newRole ?? 'nothing'}, not yet active`]),
      ...(!waitsForOld || oldRole === 'standby' || oldRole === 'maintenance'
        ? []
        : [`${from} reports ${oldRole ?? 'nothing'}, not yet standby`]),
    ];
    if (missing.length === 0 || clock.monotonic() >= endMs) return missing;
    await clock.sleep(pollMs, signal);
  }
}
