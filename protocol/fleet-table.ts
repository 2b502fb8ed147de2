/** The fleet table: what Commander knows of each fleet, in DynamoDB. Nothing in it lets anybody sign. */

import * as z from 'zod';
import { healthMessage } from './topics.ts';

export const fleetTableName = 'beam-fleet';
export const fleetTablePartitionKey = 'fleet';
/** Sort key: a thing's name, or one of `fleetItems`. */
export const fleetTableSortKey = 'item';
export const fleetItems = { config: '#config', failover: '#failover', grant: '#grant' } as const;

/** `#config`: what an operator switched on by name. Absent: nothing is. */
export const fleetConfig = z.object({
  fleet: z.string(),
  item: z.literal(fleetItems.config),
  /** The sign record that Commander may grant in. */
  recordKey: z.string().optional(),
  chainId: z.string().optional(),
  /** Off: Commander alerts and waits for an operator. */
  automaticFailover: z.boolean(),
  /** Between two automatic failovers; an operator's switch is never held up. */
  cooldownSeconds: z.number().int().min(0).max(86_400),
});
export type FleetConfig = z.infer<typeof fleetConfig>;
export const cooldownSecondsDefault = 60;

/** `#failover`: the last automatic one. */
export const lastFailover = z.object({
  fleet: z.string(),
  item: z.literal(fleetItems.failover),
  /** ms, Commander's clock. */
  at: z.number(),
  epoch: z.number().int(),
  from: z.string(),
  to: z.string(),
  reason: z.string(),
});
export type LastFailover = z.infer<typeof lastFailover>;

/** `#grant`: the last grant that Commander made or met, and when. The grant itself is in the sign record alone. */
export const lastGrant = z.object({
  fleet: z.string(),
  item: z.literal(fleetItems.grant),
  recordId: z.string(),
  epoch: z.number().int(),
  /** A thing; empty where a grant was called back. */
  to: z.string(),
  /** The holder at that time, and its epoch; empty and 0 before the first claim. */
  from: z.string(),
  fromEpoch: z.number().int(),
  /** ms, Commander's clock. */
  at: z.number(),
  /** 'unknown': found in the record, made by an invocation that ended before it could note it. */
  by: z.enum(['automatic', 'operator', 'unknown']),
  reason: z.string(),
});
export type LastGrant = z.infer<typeof lastGrant>;

/** One a thing, from its last health message. */
export const fleetNode = healthMessage.omit({ v: true, thing: true, load: true }).extend({
  fleet: z.string(),
  /** The thing's name. */
  item: z.string(),
  /** ms, when the rule received the message. */
  receivedAt: z.number(),
  /** From presence events; a health message sets it to true. */
  connected: z.boolean(),
});
export type FleetNode = z.infer<typeof fleetNode>;

const missedHealthMax = 3.5;
const healthSecondsDefault = 10;
/** Messages wait in queues when the cloud is busy: less than this is never silence. */
const silenceMsMin = 10_000;

/** ms without a health message, after which nothing is known of the node any more. */
export function silenceMs(everySeconds: number | undefined): number {
  return Math.max(silenceMsMin, missedHealthMax * (everySeconds ?? healthSecondsDefault) * 1000);
}

export function isSilent({ receivedAt, everySeconds }: FleetNode, nowMs: number): boolean {
  return nowMs - receivedAt > silenceMs(everySeconds);
}
