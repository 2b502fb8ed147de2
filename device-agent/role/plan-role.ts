/**
 * What a pilot does about its server's role: a pure core of (desired role, signer, chain, now). It hands the cloud's
 * wish to the signer, asks for the role when the holder is gone, and reports what the signer is. None of it lets
 * anybody sign: that is the record's alone.
 */

import type { NodeKind } from '../../protocol/names.ts';
import { askReason } from '../../protocol/role-request.ts';
import type { DesiredRole, ReportedRoleState } from '../../protocol/shadows.ts';
import { beatPeriodMs, type ControlRequest, type SignerStatus } from '../../protocol/signer-control.ts';
import { type Stage, stageFeatures } from '../../protocol/stages.ts';
import type { RoleRequestEvent } from '../../protocol/topics.ts';
import { type CommitSeen, heightAt } from '../chain/chain-view.ts';

export interface RoleInput {
  thing: string;
  kind: NodeKind;
  mode: Stage;
  /** The role shadow's desired state; undefined: none, or not known. */
  desired: DesiredRole | undefined;
  /** Why the desired state can't be read. */
  desiredFault: string | undefined;
  /** Undefined where this server has no signer. */
  signer: { up: boolean; downForMs: number; session: number; status: SignerStatus | undefined } | undefined;
  chain: {
    /** Since the node beside us committed its last block; undefined: not since this pilot's start. */
    sinceCommitMs: number | undefined;
    blockSeconds: number | undefined;
    catchingUp: boolean | undefined;
    /** Commits in a row, up to `countedTo`, without our validator's signature. */
    missedInRow: number;
    /** The last height whose signatures were counted: below `height`, by more than one where they are still looked up. */
    countedTo: number;
    height: number;
    /** The last blocks, as the node got them. */
    commits: readonly CommitSeen[];
    lastSignedHeight: number | undefined;
  };
  now: { monotonicMs: number; wallMs: number };
}

export interface RoleMemory {
  reported: ReportedRoleState;
  /** False until the signer was heard, or waited for in vain: a pilot that starts beside an active signer must not say standby. */
  known: boolean;
  /** Another reason for the same role, and since when. */
  reworded: { reason: string; atMs: number } | undefined;
  /** Of the last role-request. */
  requestedAtMs: number | undefined;
  /** The last `grant` or `stand-by` sent: which, and when. */
  sent: { key: string; atMs: number } | undefined;
  /** The epoch after which `fenced` has been told. */
  fencedTold: number | undefined;
  /** The record's epoch, and our node's height when it was first seen: what was missed before is not its holder's. */
  epochSeen: { recordId: string; epoch: number; height: number; atMs: number } | undefined;
}

export interface RoleStepArguments {
  control: { request: ControlRequest };
  report: { state: ReportedRoleState };
  'request-role': Pick<
    RoleRequestEvent,
    'reason' | 'recordId' | 'epoch' | 'holder' | 'height' | 'beat' | 'nodeHeight' | 'lastSignedHeight'
  >;
  'tell-fenced': { detail: string };
}
export type RoleStep = {
  [Name in keyof RoleStepArguments]: { action: Name } & RoleStepArguments[Name];
}[keyof RoleStepArguments];
export type RoleExecutors = { [Name in keyof RoleStepArguments]: (step: RoleStepArguments[Name]) => void };

const resendMs = 2_000;
/** A signer that was started again at once is not worth a word. */
const signerGraceMs = 3_000;
const reasonSettleMs = 2_000;

export function initialRole(kind: NodeKind, wallMs: number): RoleMemory {
  return {
    reported: {
      role: kind === 'sentry' ? 'sentry' : 'standby',
      epoch: 0,
      since: new Date(wallMs).toISOString(),
      reason: '',
    },
    known: false,
    reworded: undefined,
    requestedAtMs: undefined,
    sent: undefined,
    fencedTold: undefined,
    epochSeen: undefined,
  };
}

export function planRole(input: RoleInput, memory: RoleMemory): { steps: RoleStep[]; memory: RoleMemory } {
  const steps: RoleStep[] = [];
  let next = memory;

  const { signer } = input;
  const known =
    memory.known ||
    !signer ||
    !stageFeatures[input.mode].signs ||
    signer.up ||
    signer.downForMs >= signerGraceMs;
  const wanted = known ? reportedState(input, memory.reported) : memory.reported;
  const { reported, reworded } = settleReason(wanted, memory, input.now.monotonicMs);
  next = { ...next, reworded };
  if (known && (!memory.known || !sameReport(reported, memory.reported))) {
    next = { ...next, reported, known };
    steps.push({ action: 'report', state: reported });
  }

  const fenced =
    stageFeatures[input.mode].signs && signer?.up && signer.status?.state === 'fenced'
      ? signer.status
      : undefined;
  if (fenced && next.fencedTold !== fenced.epoch) {
    next = { ...next, fencedTold: fenced.epoch };
    const by = fenced.record
      ? `${fenced.record.holder || 'nobody'} holds epoch ${fenced.record.epoch}`
      : 'see its log';
    steps.push({ action: 'tell-fenced', detail: `its write to the sign record was refused: ${by}` });
  }

  const order = controlFor(input);
  if (order) {
    const key = `${signer?.session} ${JSON.stringify(order)}`;
    const { monotonicMs } = input.now;
    if (memory.sent?.key !== key || monotonicMs - memory.sent.atMs >= resendMs) {
      next = { ...next, sent: { key, atMs: monotonicMs } };
      steps.push({ action: 'control', request: order });
    }
  } else if (next.sent) next = { ...next, sent: undefined };

  next = { ...next, epochSeen: epochSeen(input, next.epochSeen) };
  const request = roleRequest(input, next);
  if (request) {
    next = { ...next, requestedAtMs: input.now.monotonicMs };
    steps.push({ action: 'request-role', ...request });
  }
  return { steps, memory: next };
}

function reportedState(input: RoleInput, former: ReportedRoleState): ReportedRoleState {
  const { role, epoch, reason } = roleNow(input, former);
  const fault = input.desiredFault ? `the desired role can't be read: ${input.desiredFault}` : '';
  const words = [reason, fault].filter(Boolean).join('; ').slice(0, 300);
  const same = role === former.role && epoch === former.epoch;
  return {
    role,
    epoch,
    since: same ? former.since : new Date(input.now.wallMs).toISOString(),
    reason: words,
  };
}

function roleNow(
  { kind, mode, desired, signer }: RoleInput,
  former: ReportedRoleState,
): Pick<ReportedRoleState, 'role' | 'epoch' | 'reason'> {
  if (kind === 'sentry') return { role: 'sentry', epoch: 0, reason: '' };
  if (!stageFeatures[mode].signs) {
    const reason = `mode is "${mode}" in this server's config.toml: Beam does not sign here`;
    return { role: 'maintenance', epoch: 0, reason };
  }
  const resting = desired?.role === 'maintenance' ? 'maintenance' : 'standby';
  if (!signer)
    return { role: resting, epoch: 0, reason: 'gaiad signs by itself: this server has no Beam signer' };
  const { status } = signer;
  if (!signer.up || !status) {
    // It may sign on in a moment, and the record still names whom it names: the role stays, with the reason.
    const reason = signer.downForMs < signerGraceMs ? former.reason : 'the signer does not answer';
    return { role: former.role, epoch: former.epoch, reason };
  }
  const { epoch } = status;
  switch (status.state) {
    case 'active':
      return { role: 'active', epoch, reason: '' };
    case 'local':
      return {
        role: 'active',
        epoch,
        reason: 'signs under the local guard: no other server may hold its key',
      };
    case 'fenced':
      return { role: 'fenced', epoch, reason: status.reason ?? '' };
    case 'claiming':
      return { role: resting, epoch, reason: '' };
    case 'standby':
      return { role: resting, epoch, reason: status.reason ?? '' };
    case 'dry-run':
      return {
        role: resting,
        epoch,
        reason: 'the signer beside is a dry-run: restart it, mode is "sign" now',
      };
    case 'unenrolled':
      return {
        role: resting,
        epoch,
        reason: status.reason ?? 'the signer is not enrolled: see beam signer enrol or join',
      };
    case 'refusing':
      return { role: resting, epoch, reason: `the signer refuses: ${status.reason ?? 'see its log'}` };
  }
}

/** A new role is told at once; the same one with other words when they have stood for a while: a slow read of the record is no news. */
function settleReason(
  wanted: ReportedRoleState,
  { reported, known, reworded }: RoleMemory,
  nowMs: number,
): Pick<RoleMemory, 'reported' | 'reworded'> {
  const sameRole = wanted.role === reported.role && wanted.epoch === reported.epoch;
  if (!known || !sameRole || wanted.reason === reported.reason)
    return { reported: wanted, reworded: undefined };
  const since = reworded?.reason === wanted.reason ? reworded : { reason: wanted.reason, atMs: nowMs };
  return nowMs - since.atMs >= reasonSettleMs
    ? { reported: wanted, reworded: undefined }
    : { reported, reworded: since };
}

function sameReport(a: ReportedRoleState, b: ReportedRoleState): boolean {
  return a.role === b.role && a.epoch === b.epoch && a.since === b.since && a.reason === b.reason;
}

/** What the signer should be told now, by the desired role. */
function controlFor({ desired, signer, kind, mode }: RoleInput): ControlRequest | undefined {
  if (kind !== 'validator' || !stageFeatures[mode].signs || !desired || !signer?.up || !signer.status)
    return undefined;
  const { state, epoch } = signer.status;
  if (desired.role !== 'active') return state === 'fenced' ? { type: 'stand-by' } : undefined;
  if (desired.epoch === undefined) return undefined;
  const open = state === 'standby' || state === 'fenced' || state === 'active';
  const claimed = state === 'active' && epoch >= desired.epoch;
  // A wish for an epoch that has passed is not one to act on; the signer would see as much in the record.
  const passed = signer.status.record !== undefined && desired.epoch <= signer.status.record.epoch;
  return open && !claimed && !passed ? { type: 'grant', epoch: desired.epoch } : undefined;
}

function epochSeen(
  { signer, chain, now }: RoleInput,
  former: RoleMemory['epochSeen'],
): RoleMemory['epochSeen'] {
  const { record, recordId } = signer?.status ?? {};
  // The signer may be heard before the node. At height 0 all that was missed while this pilot was away would be this holder's.
  if (!record || !recordId || chain.height === 0) return former;
  if (former?.recordId === recordId && former.epoch === record.epoch) return former;
  return { recordId, epoch: record.epoch, height: chain.height, atMs: now.monotonicMs };
}

function roleRequest(
  { kind, mode, thing, desired, signer, chain, now }: RoleInput,
  memory: RoleMemory,
): RoleStepArguments['request-role'] | undefined {
  const status = signer?.up && stageFeatures[mode].signs ? signer.status : undefined;
  if (kind !== 'validator' || status?.state !== 'standby' || desired?.role === 'maintenance')
    return undefined;
  const { record, recordId, beat } = status;
  // Before the first epoch nobody is gone: an operator names the first active.
  if (!record || !recordId || record.holder === '' || record.holder === thing) return undefined;
  const granted = record.grantEpoch > record.epoch && record.grantTo === thing;
  if (granted) return undefined;

  const blockSeconds = chain.blockSeconds ?? status.blockSeconds;
  const reason = askReason({
    recordEpoch: record.epoch,
    beat,
    sinceCommitMs: chain.sinceCommitMs,
    blockSeconds,
    catchingUp: chain.catchingUp,
    missedInRow: ownMisses(memory, chain),
  });
  if (!reason) return undefined;
  const sinceRequestMs = now.monotonicMs - (memory.requestedAtMs ?? Number.NEGATIVE_INFINITY);
  if (sinceRequestMs < beatPeriodMs(blockSeconds)) return undefined;
  return {
    reason,
    recordId,
    epoch: record.epoch,
    holder: record.holder,
    height: record.position.height,
    ...(reason === 'beat-still' && beat?.mark !== undefined ? { beat: beat.mark } : {}),
    nodeHeight: chain.height,
    ...(chain.lastSignedHeight === undefined ? {} : { lastSignedHeight: chain.lastSignedHeight }),
  };
}

/**
 * Those of the missed commits that the holder could have signed: above the chain's height when its epoch was first seen,
 * which our node may have reached later, as nodes do at a fleet's start. While heights are still looked up, after an absence, the
 * holder may long have signed again.
 */
function ownMisses(
  { epochSeen }: RoleMemory,
  { missedInRow, countedTo, commits, height }: RoleInput['chain'],
): number {
  if (!epochSeen || countedTo < height - 1) return 0;
  const before = Math.max(epochSeen.height, heightAt(commits, epochSeen.atMs));
  return Math.max(0, Math.min(missedInRow, countedTo - before));
}
