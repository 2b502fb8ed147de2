/**
 * Rolls the derived peers out, one node at a time: sentries, standbys, then a switch, and the one that was active last. A
 * pure function of what the fleet reports: it goes on when the node before reported the change in force and healthy.
 */

import { overlayHash } from '../../../protocol/overlay-hash.ts';
import { overlay, type ReportedGaiad, type ReportedStatus } from '../../../protocol/shadows.ts';
import { derivePeers, isKnown, type PeersPart } from './derive.ts';

export interface PeerNode {
  thing: string;
  /** Undefined: it never reported. */
  status: ReportedStatus | undefined;
  /** s; when the node id was first reported. */
  knownSince: number | undefined;
  gaiad: { version: number; config: unknown; reported: ReportedGaiad | undefined } | undefined;
  /** Holds the right to sign, or says that it signs. */
  active: boolean;
  /** False where the fleet table shows it disconnected or silent. */
  reachable: boolean;
}

export interface PeersView {
  fleet: string;
  nodes: PeerNode[];
  automaticFailover: boolean;
  /** ms since Commander's last grant; undefined: never. */
  sinceGrantMs: number | undefined;
}

interface StepArguments {
  writePeers: { thing: string; version: number | undefined; part: PeersPart };
  /** As an operator would: by the standby's role shadow. The roles function decides. */
  requestSwitch: { to: string };
  explain: { text: string };
}
export type PeersStep = { [K in keyof StepArguments]: { step: K } & StepArguments[K] }[keyof StepArguments];
export type PeersStepOf<K extends PeersStep['step']> = Extract<PeersStep, { step: K }>;

/** A new fleet's servers all get their peers before their first start, so they are waited for this long. */
const completeWaitSeconds = 30;
/** Between two switches for a roll-out. */
const switchPauseMs = 5 * 60_000;

/** @param now ms. `sweep`: the minute's look, which alone asks for a switch. */
export function planPeers(view: PeersView, sweep: boolean, now: number): PeersStep[] {
  const known = view.nodes.flatMap(({ thing, status }) => (isKnown(status) ? [{ thing, status }] : []));
  const parts = derivePeers(known);
  if (parts.size === 0) return [];
  const missing = view.nodes.filter(({ thing }) => !parts.has(thing));
  const begun = view.nodes.some((node) => currentPart(node) !== undefined);
  const first = Math.min(...view.nodes.map(({ knownSince }) => knownSince ?? Number.POSITIVE_INFINITY));
  const waited = sweep && now / 1000 - first >= completeWaitSeconds;
  if (missing.length > 0 && !begun && !waited) {
    const names = missing.map(({ thing }) => thing).join(', ');
    return [{ step: 'explain', text: `the first peers of ${view.fleet} wait for ${names} to report` }];
  }
  return rollOut(view, parts, sweep);
}

const rank = ({ status, active }: PeerNode) => (active ? 2 : status?.kind === 'sentry' ? 0 : 1);

function rollOut(view: PeersView, parts: ReadonlyMap<string, PeersPart>, sweep: boolean): PeersStep[] {
  const inOrder = view.nodes
    // One in mode "monitor" takes no configuration, so it is not waited for either; the others know it as a peer.
    .filter(({ thing, status }) => parts.has(thing) && status?.mode !== 'monitor')
    .sort((a, b) => rank(a) - rank(b) || (a.thing < b.thing ? -1 : 1));
  const steps: PeersStep[] = [];
  /** Why no other running node is touched now. */
  let waitsFor: string | undefined;
  for (const node of inOrder) {
    const part = parts.get(node.thing);
    if (!part) continue;
    const { thing, gaiad } = node;
    if (samePart(currentPart(node), part)) {
      waitsFor ??= unsettled(node);
      continue;
    }
    const write: PeersStep = { step: 'writePeers', thing, version: gaiad?.version, part };
    if (!wouldRestart(node)) steps.push(write);
    else if (waitsFor !== undefined) {
      steps.push({ step: 'explain', text: `the new peers of ${thing} wait: ${waitsFor}` });
    } else if (node.active && standbys(view, node).length > 0) {
      steps.push(switchAway(view, node, sweep));
      waitsFor = `${thing} is active`;
    } else {
      steps.push(write);
      waitsFor = `${thing} just got its own`;
    }
  }
  return steps;
}

const standbys = ({ nodes }: PeersView, active: PeerNode) =>
  nodes.filter((node) => node !== active && node.status?.kind === 'validator' && !node.active);

/** The active one's gaiad would restart: another one takes over first. */
function switchAway(view: PeersView, active: PeerNode, sweep: boolean): PeersStep {
  const { fleet, automaticFailover, sinceGrantMs } = view;
  const why = `the new peers of ${active.thing} wait until it is not active`;
  if (!automaticFailover) {
    return {
      step: 'explain',
      text: `${why}, and automatic failover is off: switch with "beam failover ${fleet}"`,
    };
  }
  const [to] = standbys(view, active)
    .filter((node) => node.reachable && unsettled(node) === undefined)
    .sort((a, b) => (a.thing < b.thing ? -1 : 1));
  const soon = sinceGrantMs !== undefined && sinceGrantMs < switchPauseMs;
  if (!to || soon || !sweep) return { step: 'explain', text: why };
  return { step: 'requestSwitch', to: to.thing };
}

/** Changed configuration restarts a gaiad that runs; one that never ran, is stopped or away loses nothing by it. */
function wouldRestart({ active, gaiad, status, reachable }: PeerNode): boolean {
  const reported = gaiad?.reported;
  const neverRan = reported?.state !== 'running' && !status?.minute?.height;
  if (!reported || neverRan || reported.state === 'stopped') return false;
  return active || reachable;
}

/** What the roll-out waits for at a node that has its peers; undefined where it is in order, or can't be waited for. */
function unsettled({ thing, gaiad, reachable }: PeerNode): string | undefined {
  const reported = gaiad?.reported;
  if (!reported || !reachable || reported.state === 'stopped') return undefined;
  const [rejected] = reported.rejected;
  if (rejected) return `${thing} rejected ${rejected.path}: ${rejected.reason}`;
  const wanted = overlay.safeParse(gaiad.config ?? {});
  if (!wanted.success) return `the overlay of ${thing} is malformed`;
  const hash = overlayHash(wanted.data);
  if (reported.overlay !== hash || reported.lastGood !== hash)
    return `${thing} does not have its overlay in force yet`;
  return reported.state === 'running' ? undefined : `gaiad of ${thing} is ${reported.state}`;
}

const ownedKeys = [
  'pex',
  'addr_book_strict',
  'persistent_peers',
  'private_peer_ids',
  'unconditional_peer_ids',
] as const;

/** The settings of ours that the shadow's overlay has; undefined where it has none. */
function currentPart({ gaiad }: PeerNode): Partial<Record<(typeof ownedKeys)[number], unknown>> | undefined {
  const p2p = member(member(gaiad?.config, 'config.toml'), 'p2p');
  const entries = ownedKeys.flatMap((key) => {
    const value = member(p2p, key);
    return value === undefined ? [] : [[key, value] as const];
  });
  return entries.length > 0 ? Object.fromEntries(entries) : undefined;
}

function member(value: unknown, key: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  return Object.entries(value).find(([name]) => name === key)?.[1];
}

/** What we would not write (a sentry's `persistent_peers` where its own are not known) may be as it is. */
function samePart(current: ReturnType<typeof currentPart>, wanted: PeersPart): boolean {
  return (
    current !== undefined &&
    ownedKeys.every((key) => wanted[key] === undefined || current[key] === wanted[key])
  );
}
