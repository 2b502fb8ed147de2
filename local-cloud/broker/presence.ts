/** Lifecycle events of connections, as AWS IoT publishes them below `$aws/events/presence/`. */

import { randomUUID } from 'node:crypto';
import type { Store } from '../store/store.ts';

export type DisconnectReason =
  | 'AUTH_ERROR'
  | 'CLIENT_ERROR'
  | 'CLIENT_INITIATED_DISCONNECT'
  | 'CONNECTION_LOST'
  | 'DUPLICATE_CLIENTID'
  | 'FORBIDDEN_ACCESS'
  | 'MQTT_KEEP_ALIVE_TIMEOUT'
  | 'SERVER_INITIATED_DISCONNECT';

export interface Presence {
  clientId: string;
  principalIdentifier: string;
  sessionIdentifier: string;
  /** Rises with each connection of the client id; both of a connection's events carry it. */
  versionNumber: number;
  ipAddress: string;
}

export interface PresenceBook {
  open(clientId: string, principalIdentifier: string, ipAddress: string): Presence;
}

/** @param failed a version number that could not be written: events go on, with the number in memory */
export function openPresenceBook(store: Store, failed: (error: unknown) => void): PresenceBook {
  const versions = new Map(store.presence.entries());
  return {
    open(clientId, principalIdentifier, ipAddress) {
      const versionNumber = (versions.get(clientId) ?? -1) + 1;
      versions.set(clientId, versionNumber);
      store.presence.put(clientId, versionNumber).catch(failed);
      return { clientId, principalIdentifier, sessionIdentifier: randomUUID(), versionNumber, ipAddress };
    },
  };
}

export function connectedEvent(presence: Presence, timestamp: number): { topic: string; payload: Buffer } {
  const { ipAddress, ...rest } = presence;
  return {
    topic: `$aws/events/presence/connected/${presence.clientId}`,
    payload: Buffer.from(JSON.stringify({ ...rest, timestamp, eventType: 'connected', ipAddress })),
  };
}

export function disconnectedEvent(
  presence: Presence,
  disconnectReason: DisconnectReason,
  timestamp: number,
): { topic: string; payload: Buffer } {
  const { ipAddress: _, ...rest } = presence;
  const event = {
    ...rest,
    timestamp,
    eventType: 'disconnected',
    clientInitiatedDisconnect: disconnectReason === 'CLIENT_INITIATED_DISCONNECT',
    disconnectReason,
  };
  return {
    topic: `$aws/events/presence/disconnected/${presence.clientId}`,
    payload: Buffer.from(JSON.stringify(event)),
  };
}
