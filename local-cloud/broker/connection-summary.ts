/** What the API tells of a client (AWS: GetConnection, ListSubscriptions). */

import type { Connection } from './connection.ts';
import type { DisconnectReason } from './presence.ts';
import type { Session } from './session.ts';

export interface ConnectionSummary {
  connected: boolean;
  cleanSession: boolean;
  /** Seconds. */
  sessionExpiry: number;
  keepAliveDuration?: number;
  sourceIp?: string;
  /** ms since the epoch; the former of these where it is connected, the latter where it is not. */
  connectedSince?: number;
  disconnectedSince?: number;
  disconnectReason?: DisconnectReason;
  subscriptions: { topicFilter: string; qos: 0 | 1 }[];
}

/** @param connection undefined: the client is away, its session lasts */
export function summaryOf(session: Session, connection: Connection | undefined): ConnectionSummary {
  const subscriptions = [...session.subscriptions.values()].map(({ filter, qos }) => ({
    topicFilter: filter,
    qos,
  }));
  const { expirySeconds, leftAtMs, endReason } = session;
  const summary = { cleanSession: expirySeconds === 0, sessionExpiry: expirySeconds, subscriptions };
  if (!connection) {
    return {
      connected: false,
      ...(leftAtMs === undefined ? {} : { disconnectedSince: leftAtMs }),
      ...(endReason === undefined ? {} : { disconnectReason: endReason }),
      ...summary,
    };
  }
  return {
    connected: true,
    keepAliveDuration: connection.keepAliveSeconds,
    connectedSince: connection.openedAtMs,
    sourceIp: connection.peer.ipAddress,
    ...summary,
  };
}
