/**
 * Wills with a delay (MQTT 5): sent when it is over, unless the client is back in its session by then. They are on disk meanwhile, so that
 * they outlive this process.
 */

import type { Store } from '../store/store.ts';
import type { DelayedWills } from './broker-parts.ts';
import { messageOf, recordOf } from './message.ts';
import type { WillPacket } from './packets.ts';
import type { Peer } from './peer.ts';
import type { WillRecord } from './records.ts';

/** setTimeout's longest. */
const delayMsMax = 2 ** 31 - 1;

export interface DelayedWillsOptions {
  store: Pick<Store, 'wills'>;
  nowMs: () => number;
  /** @param from whose will it is, with the rights of that moment */
  publish(will: WillPacket, from: { clientId: string; principalId: string; ipAddress: string }): void;
  failed(error: unknown, clientId: string): void;
}

/** Client ids may hold any character. */
const keyOf = (clientId: string) => encodeURIComponent(clientId);

function recordFor(will: WillPacket, { clientId, principal, ipAddress }: Peer, dueAtMs: number): WillRecord {
  const { topic, payload, retain, properties, expirySeconds } = will;
  const message = { topic, payload, qos: will.qos === 0 ? (0 as const) : (1 as const), retain };
  return {
    ...recordOf(properties ? { ...message, properties } : message),
    retain,
    ...(expirySeconds === undefined ? {} : { expirySeconds }),
    clientId,
    principalId: principal.id,
    ipAddress,
    dueAtMs,
  };
}

function willOf(record: WillRecord): WillPacket {
  const { topic, payload, qos, retain, properties } = messageOf(record, record.retain);
  return {
    topic,
    payload,
    qos,
    retain,
    delaySeconds: 0,
    ...(properties ? { properties } : {}),
    ...(record.expirySeconds === undefined ? {} : { expirySeconds: record.expirySeconds }),
  };
}

export function createDelayedWills(options: DelayedWillsOptions): DelayedWills {
  const { store, nowMs, publish, failed } = options;
  const waiting = new Map<string, { timer: NodeJS.Timeout; record: WillRecord }>();

  function take(clientId: string): WillRecord | undefined {
    const will = waiting.get(clientId);
    if (!will) return undefined;
    waiting.delete(clientId);
    clearTimeout(will.timer);
    store.wills.remove(keyOf(clientId)).catch((error: unknown) => failed(error, clientId));
    return will.record;
  }

  function send(clientId: string): void {
    const record = take(clientId);
    if (record) publish(willOf(record), record);
  }

  function wait(record: WillRecord): void {
    const { clientId, dueAtMs } = record;
    const delayMs = Math.min(Math.max(0, dueAtMs - nowMs()), delayMsMax);
    const timer = setTimeout(() => send(clientId), delayMs);
    timer.unref();
    waiting.set(clientId, { timer, record });
  }

  return {
    add(peer, will, delaySeconds) {
      const { clientId } = peer;
      send(clientId);
      const record = recordFor(will, peer, nowMs() + delaySeconds * 1000);
      store.wills.put(keyOf(clientId), record).catch((error: unknown) => failed(error, clientId));
      wait(record);
    },
    cancel: (clientId) => void take(clientId),
    hurry: send,
    resume() {
      for (const record of [...store.wills.values()]) wait(record);
    },
    stop() {
      for (const { timer } of waiting.values()) clearTimeout(timer);
      waiting.clear();
    },
  };
}
