/** What a person sees of a fleet, folded from its MQTT messages: those that any operator's tool may read. */

import * as z from 'zod';
import { type NodeKind, parseThingName } from '../../protocol/names.ts';
import {
  desiredRole,
  type ReportedRole,
  reportedRoleState,
  shadowDocuments,
} from '../../protocol/shadows.ts';
import {
  alertMessage,
  type HealthMessage,
  healthMessage,
  parseTopic,
  plainEvent,
  roleRequestEvent,
} from '../../protocol/topics.ts';

export interface NodeView {
  node: string;
  kind: NodeKind;
  zone?: string | undefined;
  role?: ReportedRole | undefined;
  /** What its shadow wants it to be. */
  wanted?: string | undefined;
  epoch?: number | undefined;
  health?: HealthMessage | undefined;
  /** ms, the watcher's clock. */
  heardAtMs?: number | undefined;
  connected: boolean;
}

export interface FleetView {
  fleet: string;
  nodes: Record<string, NodeView>;
}

/** A pilot says nothing for so long: its row is old. */
export const silentAfterMs = 30_000;

const roleDocuments = shadowDocuments(desiredRole.loose(), reportedRoleState);
const presence = z.object({ clientId: z.string(), eventType: z.enum(['connected', 'disconnected']) });

const roleTopic = /^\$aws\/things\/([^/]+)\/shadow\/name\/role\/update\/documents$/;
const presenceTopic = /^\$aws\/events\/presence\/(?:connected|disconnected)\/([^/]+)$/;

/** Topic filters of everything that `applyMessage` understands. */
export function watchedTopics(fleet: string): string[] {
  return [`beam/${fleet}/#`, '$aws/things/+/shadow/name/role/update/documents', '$aws/events/presence/+/+'];
}

export function emptyView(
  fleet: string,
  nodes: readonly { name: string; kind: NodeKind; zone?: string | undefined }[],
): FleetView {
  return {
    fleet,
    nodes: Object.fromEntries(
      nodes.map(({ name, kind, zone }) => [name, { node: name, kind, zone, connected: false }]),
    ),
  };
}

export interface Applied {
  view: FleetView;
  /** What a person should read, a sentence each. */
  lines: string[];
}

/** Messages that are not of this fleet, or not as the contract says, change nothing. */
export function applyMessage(view: FleetView, topic: string, payload: string, nowMs: number): Applied {
  const unchanged = { view, lines: [] };
  const body = parseJson(payload);
  if (body === undefined) return unchanged;
  const own = parseTopic(topic);
  if (own) return own.fleet === view.fleet ? applyOwn(view, own, body, nowMs) : unchanged;
  const shadowThing = roleTopic.exec(topic)?.[1];
  if (shadowThing !== undefined) return applyRole(view, shadowThing, body);
  if (presenceTopic.test(topic)) return applyPresence(view, body);
  return unchanged;
}

function nodeOf(view: FleetView, thing: string): NodeView | undefined {
  const name = parseThingName(thing);
  return name?.fleet === view.fleet ? view.nodes[name.node] : undefined;
}

function withNode(view: FleetView, node: NodeView): FleetView {
  return { ...view, nodes: { ...view.nodes, [node.node]: node } };
}

function applyOwn(
  view: FleetView,
  { thing, channel, kind }: NonNullable<ReturnType<typeof parseTopic>>,
  body: unknown,
  nowMs: number,
): Applied {
  const name = parseThingName(thing)?.node ?? thing;
  if (channel === 'alert') {
    const { success, data } = alertMessage.safeParse(body);
    return { view, lines: success ? [`${name}: ${data.severity}: ${data.text}`] : [] };
  }
  if (channel === 'event' && kind === 'role-request') {
    const { success, data } = roleRequestEvent.safeParse(body);
    const line = success ? `${name} asks for the role: ${whyAsked[data.reason]} (epoch ${data.epoch})` : '';
    return { view, lines: success ? [line] : [] };
  }
  if (channel === 'event') {
    const { success, data } = plainEvent.safeParse(body);
    return { view, lines: success ? [`${name}: ${data.detail}`] : [] };
  }
  const health = healthMessage.safeParse(body);
  const node = nodeOf(view, thing);
  if (!health.success || !node) return { view, lines: [] };
  return {
    view: withNode(view, {
      ...node,
      health: health.data,
      role: health.data.role,
      epoch: health.data.epoch,
      heardAtMs: nowMs,
      connected: true,
    }),
    lines: [],
  };
}

const whyAsked = {
  'beat-still': "the holder's beat stands still",
  'commits-missed': 'commits lack our signature',
  yielded: 'the holder yields',
} as const;

function applyRole(view: FleetView, thing: string, body: unknown): Applied {
  const node = nodeOf(view, thing);
  const parsed = roleDocuments.safeParse(body);
  if (!node || !parsed.success) return { view, lines: [] };
  const { desired, reported } = parsed.data.current.state ?? {};
  const lines: string[] = [];
  if (desired?.role !== undefined && desired.role !== node.wanted && node.wanted !== undefined) {
    lines.push(
      `${node.node}: wanted ${desired.role}${desired.epoch === undefined ? '' : ` in epoch ${desired.epoch}`}`,
    );
  }
  if (reported && (reported.role !== node.role || reported.epoch !== node.epoch)) {
    lines.push(`${node.node} is ${reported.role}, epoch ${reported.epoch}`);
  }
  const role = reported?.role ?? node.role;
  const epoch = reported?.epoch ?? node.epoch;
  return { view: withNode(view, { ...node, role, epoch, wanted: desired?.role ?? node.wanted }), lines };
}

function applyPresence(view: FleetView, body: unknown): Applied {
  const parsed = presence.safeParse(body);
  const node = parsed.success ? nodeOf(view, parsed.data.clientId) : undefined;
  if (!parsed.success || !node) return { view, lines: [] };
  const connected = parsed.data.eventType === 'connected';
  if (connected === node.connected) return { view, lines: [] };
  return {
    view: withNode(view, { ...node, connected }),
    lines: [`${node.node}: pilot ${connected ? 'connected' : 'disconnected'}`],
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * Why the fleet is not whole yet, or undefined where it is: one validator active, its signature in a commit, the
 * others standby and hot, every sentry at work.
 */
export function whatIsMissing(view: FleetView): string | undefined {
  const nodes = Object.values(view.nodes);
  for (const { node, health } of nodes) {
    if (!health) return `${node} has not reported yet`;
    if (health.gaiad.state !== 'running') return `${node}'s gaiad is ${health.gaiad.state}`;
    if (health.gaiad.catchingUp || !health.gaiad.height) return `${node} is catching up`;
  }
  const validators = nodes.filter(({ kind }) => kind === 'validator');
  const active = validators.filter(({ role }) => role === 'active');
  if (active.length !== 1) return `${active.length} validators are active`;
  for (const { node, role, health } of nodes) {
    const signer = health?.signer?.state;
    if (role === 'active') {
      if (signer !== 'active') return `${node}'s signer is ${signer ?? 'silent'}`;
      if (!health?.signing?.lastSignedHeight) return `no commit has ${node}'s signature yet`;
      continue;
    }
    const due = validators.some((validator) => validator.node === node) ? 'standby' : 'sentry';
    if (role !== due) return `${node} is ${role ?? 'silent'}`;
    if (due === 'standby' && signer !== 'standby') return `${node}'s signer is ${signer ?? 'silent'}`;
  }
  return undefined;
}
