/** Which standby is fit to sign: it is alive, follows the chain, and its signer could claim. */

import { isSilent as isNodeSilent } from '../../../protocol/fleet-table.ts';
import type { SignRecord } from '../../../protocol/sign-record.ts';
import type { RoleRequestEvent } from '../../../protocol/topics.ts';
import { blockSeconds, kindOf, type NodeView } from './fleet.ts';

/** A fit standby is at most this many blocks behind the fleet's best. */
const lagBlocksMax = 2;

export function isSilent({ health }: NodeView, now: number): boolean {
  return !health || isNodeSilent(health, now);
}

export interface FitnessContext {
  nodes: readonly NodeView[];
  record: SignRecord;
  recordKey: string;
  now: number;
  /** Its request just came: it is alive, whatever the table says. */
  asking?: RoleRequestEvent | undefined;
}

/**
 * Blocks that `node` is behind the fleet's best. Health messages come at different times: what the chain added
 * between two of them counts for nothing.
 */
function lagBlocks(node: NodeView, { nodes, now, asking }: FitnessContext): number {
  const heightOf = ({ thing, health }: NodeView): { height: number; at: number } | undefined => {
    if (asking?.thing === thing && asking.nodeHeight !== undefined)
      return { height: asking.nodeHeight, at: now };
    return health?.gaiad.height === undefined
      ? undefined
      : { height: health.gaiad.height, at: health.receivedAt };
  };
  const own = heightOf(node) ?? { height: 0, at: now };
  const perMs = 1 / (blockSeconds(nodes) * 1000);
  let lag = 0;
  for (const other of nodes) {
    const best = isSilent(other, now) ? undefined : heightOf(other);
    if (best) lag = Math.max(lag, best.height - own.height - Math.max(0, best.at - own.at) * perMs);
  }
  return lag;
}

/** @returns why `node` should not get the right to sign, or undefined where it is fit. */
export function unfitness(node: NodeView, context: FitnessContext): string | undefined {
  const { record, recordKey, now, asking } = context;
  const { thing, health, shadow } = node;
  const kind = kindOf(node);
  if (kind === 'sentry') return `${thing} is a sentry`;
  if (health?.mode !== undefined && health.mode !== 'sign') {
    return `${thing} is in mode "${health.mode}", where Beam does not sign: to let it, set mode = "sign" in its config.toml and restart its signer and pilot (docs/stages.md)`;
  }
  if (shadow?.reported?.role === 'maintenance') return `${thing} is in maintenance: set it to standby first`;
  // Before the first claim nobody signs: a node need not follow a chain that may stand still without us.
  if (record.holder === '' && !health && kind === 'validator') return undefined;
  if (!health) return `no health message came from ${thing} yet: start its pilot`;
  const { signer, gaiad } = health;
  if (!signer) return `${thing} reports no signer`;
  if (signer.recordKey !== undefined && signer.recordKey !== recordKey) {
    return `the signer of ${thing} is pinned to ${signer.recordKey}, the fleet's record is ${recordKey}`;
  }
  if (signer.recordId !== undefined && signer.recordId !== record.recordId) {
    return `the signer of ${thing} is enrolled in another record than the fleet's`;
  }
  if (!['standby', 'fenced', 'claiming', 'active'].includes(signer.state)) {
    return `the signer of ${thing} is ${signer.state}${signer.reason ? `: ${signer.reason}` : ''}`;
  }
  if (asking?.thing !== thing) {
    if (!health.connected) return `${thing} is disconnected`;
    if (isSilent(node, now)) {
      return `the last health message of ${thing} is ${Math.round((now - health.receivedAt) / 1000)} s old`;
    }
  }
  if (record.holder === '') return undefined;
  if (gaiad.state !== 'running' && asking?.thing !== thing) return `gaiad on ${thing} is ${gaiad.state}`;
  if (gaiad.catchingUp && asking?.thing !== thing) return `gaiad on ${thing} is catching up`;
  const lag = lagBlocks(node, context);
  if (lag > lagBlocksMax) return `gaiad on ${thing} is ${Math.round(lag)} blocks behind`;
  return undefined;
}

/** Another zone than the one that fails, then the asking one, then the highest, then by name. */
export function byPreference(away: string | undefined, asking: string | undefined) {
  const elsewhere = ({ health }: NodeView) => (away && health?.zone && health.zone !== away ? 1 : 0);
  const asks = ({ thing }: NodeView) => (thing === asking ? 1 : 0);
  const height = ({ health }: NodeView) => health?.gaiad.height ?? 0;
  return (a: NodeView, b: NodeView) =>
    elsewhere(b) - elsewhere(a) || asks(b) - asks(a) || height(b) - height(a) || (a.thing < b.thing ? -1 : 1);
}

/** Standbys that could take over, the best first; those whom an operator set to maintenance are left alone. */
export function fitStandbys(context: FitnessContext, except: readonly string[]): NodeView[] {
  const { nodes, record, asking } = context;
  const away = nodes.find(({ thing }) => thing === record.holder)?.health?.zone;
  return nodes
    .filter(
      (node) =>
        !except.includes(node.thing) &&
        kindOf(node) === 'validator' &&
        node.shadow?.desired?.role !== 'maintenance' &&
        unfitness(node, context) === undefined,
    )
    .sort(byPreference(away, asking?.thing));
}

/** By its last health message the holder has its node and signs. */
export function holderSigns({ nodes, record, now }: FitnessContext): boolean {
  const holder = nodes.find(({ thing }) => thing === record.holder);
  const health = holder?.health;
  if (!holder || !health || isSilent(holder, now)) return false;
  const { connected, gaiad, signer } = health;
  return (
    connected && gaiad.state === 'running' && signer?.state === 'active' && signer.epoch === record.epoch
  );
}
