/** MQTT topics and what travels on them: one map, used by pilots, Lambdas, the local cloud and the console. */

import * as z from 'zod';
import { nodeKind } from './names.ts';
import { reportedRole } from './shadows.ts';
import { stage } from './stages.ts';

/** Bound of every message of ours, bytes of JSON. AWS allows 128 KB. */
export const messageBytesMax = 16_384;

/** What every message carries, so that a repeat (QoS 1 delivers twice) is recognised by `bootId` and `seq`. */
const envelope = {
  v: z.literal(1),
  thing: z.string().max(65),
  /** Random, new at each start of the pilot. */
  bootId: z.string().max(64),
  /** Rises by one a message within a boot. */
  seq: z.number().int().nonnegative(),
  /** The pilot's clock, ms since the epoch. For people: deciders go by the time of receipt. */
  at: z.number().int().nonnegative(),
};

/** What a signer says of itself over its control socket, and pilots hand on. */
export const signerSummary = z.object({
  state: z.enum(['unenrolled', 'standby', 'claiming', 'active', 'fenced', 'refusing', 'local', 'dry-run']),
  /** The consensus address, 40 upper-case hex digits. */
  address: z.string().max(40),
  recordKey: z.string().max(128).optional(),
  recordId: z.string().max(64).optional(),
  epoch: z.number().int().nonnegative(),
  height: z.number().int().nonnegative(),
  reason: z.string().max(300).optional(),
  /** Of the refusal that `refusing` and `unenrolled` stand for, as the signer's log has it (`record-went-back`, …). */
  code: z.string().max(32).optional(),
});
export type SignerSummary = z.infer<typeof signerSummary>;

export const healthMessage = z.object({
  ...envelope,
  kind: nodeKind,
  zone: z.string().max(64).optional(),
  /** Left out by pilots from before there were stages: `sign`. */
  mode: stage.optional(),
  /** Seconds to the next one, 10 where left out: three and a half of them without a message are silence. */
  everySeconds: z.number().positive().max(300).optional(),
  role: reportedRole,
  epoch: z.number().int().nonnegative(),
  gaiad: z.object({
    state: z.enum(['starting', 'running', 'stopped', 'failed', 'unresponsive']),
    height: z.number().int().nonnegative().optional(),
    /** ms since the node committed its last block, by the pilot's monotonic clock. */
    sinceCommitMs: z.number().int().nonnegative().optional(),
    catchingUp: z.boolean().optional(),
    peers: z.number().int().nonnegative().optional(),
    blockSeconds: z.number().nonnegative().optional(),
  }),
  /** Of our validator, as this node sees the chain: the last height signed, and how many of the last `of` were missed. */
  signing: z
    .object({
      lastSignedHeight: z.number().int().nonnegative().optional(),
      missed: z.number().int().nonnegative(),
      of: z.number().int().nonnegative(),
      missedTotal: z.number().int().nonnegative(),
    })
    .optional(),
  signer: signerSummary.optional(),
  load: z
    .object({
      load1: z.number().nonnegative(),
      memoryFreeBytes: z.number().nonnegative(),
      diskFreeBytes: z.number().nonnegative().optional(),
      pilotResidentBytes: z.number().nonnegative(),
    })
    .optional(),
});
export type HealthMessage = z.infer<typeof healthMessage>;

/** `…/event/role-request`: a standby asks for the right to sign. */
export const roleRequestReason = z.enum(['beat-still', 'commits-missed', 'yielded']);
export const roleRequestEvent = z.object({
  ...envelope,
  reason: roleRequestReason,
  /** The record as the standby saw it: a decision on an older epoch is void. */
  recordId: z.string().max(64),
  epoch: z.number().int().nonnegative(),
  holder: z.string().max(65),
  /** The record's height. */
  height: z.number().int().nonnegative(),
  /** With `beat-still`: the beat that stood still, `<incarnation>/<count>`, empty where the epoch had none. One that rose since makes the request void. */
  beat: z.string().max(128).optional(),
  /** The last height that the asking node committed: fresher than its health message. */
  nodeHeight: z.number().int().nonnegative().optional(),
  /** The last committed height that carries our signature, as the asking node sees the chain. */
  lastSignedHeight: z.number().int().nonnegative().optional(),
});
export type RoleRequestEvent = z.infer<typeof roleRequestEvent>;

export const eventKinds = [
  /** A standby asks for the right to sign. */
  'role-request',
  /** The pilot started. */
  'started',
  /** gaiad was started, or found running. */
  'gaiad-started',
  /** gaiad ended. */
  'gaiad-exited',
  /** gaiad is healthy with an overlay. */
  'config-applied',
  /** The signer found that another server holds the right to sign. */
  'fenced',
] as const;
export type EventKind = (typeof eventKinds)[number];

/** `…/event/<kind>` other than role-request. */
export const plainEvent = z.object({
  ...envelope,
  detail: z.string().max(1000),
  data: z.record(z.string(), z.json()).optional(),
});
export type PlainEvent = z.infer<typeof plainEvent>;

export const alertKinds = [
  /** An overlay, or a setting of the operator's own, is refused; nothing was changed. */
  'config-rejected',
  /** gaiad did not become healthy with an overlay; the last good configuration is back. */
  'config-rolled-back',
  /** The chain has a signature of our key that the record knows nothing of. */
  'foreign-signer',
  /** The chain node is not up, or does not answer. */
  'gaiad-down',
  /** The consensus key lies where gaiad could sign with it, or gaiad signs by itself. */
  'key-on-node',
  /** A server is not heard by the cloud, or does not reach it. */
  'offline',
  /** The sign record is missing, unreadable, another one, or not reached. */
  'record-trouble',
  /** An operator's edit of a role was put back. */
  'role-edit-refused',
  /** A failover was done, or is needed and can't be done. */
  'failover',
  /** The signer does not answer. */
  'signer-down',
  /** The signer refuses to sign, or is not enrolled. */
  'signer-refuses',
] as const;
export type AlertKind = (typeof alertKinds)[number];

export const alertMessage = z.object({
  ...envelope,
  severity: z.enum(['info', 'warning', 'critical']),
  /** One sentence: what happened, to what, what to do next. */
  text: z.string().max(1000),
  data: z.record(z.string(), z.json()).optional(),
});
export type AlertMessage = z.infer<typeof alertMessage>;

/** Topic of a thing's own messages. */
export const topics = {
  health: (fleet: string, thing: string) => `beam/${fleet}/${thing}/health`,
  alert: (fleet: string, thing: string, kind: AlertKind) => `beam/${fleet}/${thing}/alert/${kind}`,
  event: (fleet: string, thing: string, kind: EventKind) => `beam/${fleet}/${thing}/event/${kind}`,
  /** What an operator's tool subscribes to. */
  fleetHealth: (fleet: string) => `beam/${fleet}/+/health`,
  fleetAll: (fleet: string) => `beam/${fleet}/#`,
};

/** The rule of health messages (cloud-rules/rules). */
export const healthRuleName = 'beam_health';

/**
 * Basic Ingest: to a rule alone, past the broker and without its price for a message. The rule's `topic()` sees the topic itself; who
 * subscribes sees nothing.
 */
export function basicIngest(ruleName: string, topic: string): string {
  return `$aws/rules/${ruleName}/${topic}`;
}

/** @returns undefined where the topic is not one of ours. */
export function parseTopic(
  topic: string,
): { fleet: string; thing: string; channel: 'health' | 'alert' | 'event'; kind?: string } | undefined {
  const [beam, fleet, thing, channel, kind, more] = topic.split('/');
  if (beam !== 'beam' || !fleet || !thing || more !== undefined) return undefined;
  if (channel === 'health' && kind === undefined) return { fleet, thing, channel };
  if ((channel === 'alert' || channel === 'event') && kind) return { fleet, thing, channel, kind };
  return undefined;
}
