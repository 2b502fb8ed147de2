/** Lifecycle events, as AWS IoT publishes them below `$aws/events/` (developer guide, "Lifecycle events"). */

import { randomUUID } from 'node:crypto';
import type { Store } from '../store/store.ts';

export type DisconnectReason =
  | 'API_INITIATED_DISCONNECT'
  | 'AUTH_ERROR'
  | 'CLIENT_ERROR'
  | 'CLIENT_INITIATED_DISCONNECT'
  | 'CONNECTION_LOST'
  | 'DUPLICATE_CLIENTID'
  | 'FORBIDDEN_ACCESS'
  | 'MQTT_KEEP_ALIVE_TIMEOUT'
  | 'SERVER_ERROR'
  | 'SERVER_INITIATED_DISCONNECT'
  | 'THROTTLED'
  | 'WEBSOCKET_TTL_EXPIRATION';

/** A connection as its events name it. */
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

export interface LifecycleEvent {
  topic: string;
  payload: Buffer;
}

function event(kind: string, clientId: string, members: object): LifecycleEvent {
  return { topic: `$aws/events/${kind}/${clientId}`, payload: Buffer.from(JSON.stringify(members)) };
}

export function connectedEvent(presence: Presence, timestamp: number): LifecycleEvent {
  const { ipAddress, ...rest } = presence;
  const members = { ...rest, timestamp, eventType: 'connected', ipAddress };
  return event('presence/connected', presence.clientId, members);
}

export function disconnectedEvent(
  presence: Presence,
  disconnectReason: DisconnectReason,
  timestamp: number,
): LifecycleEvent {
  const { ipAddress: _, ...rest } = presence;
  return event('presence/disconnected', presence.clientId, {
    ...rest,
    timestamp,
    eventType: 'disconnected',
    clientInitiatedDisconnect: disconnectReason === 'CLIENT_INITIATED_DISCONNECT',
    disconnectReason,
  });
}

/** A client that the policies do not let connect, or whose will they do not let be published. */
export function connectFailedEvent(
  clientId: string,
  principalIdentifier: string,
  ipAddress: string,
  timestamp: number,
): LifecycleEvent {
  return event('presence/connect_failed', clientId, {
    clientId,
    timestamp,
    eventType: 'connect_failed',
    connectFailureReason: 'AUTHORIZATION_FAILED',
    principalIdentifier,
    sessionIdentifier: randomUUID(),
    ipAddress,
  });
}

export function subscriptionEvent(
  eventType: 'subscribed' | 'unsubscribed',
  { clientId, sessionIdentifier, principalIdentifier }: Presence,
  topics: readonly string[],
  timestamp: number,
): LifecycleEvent {
  const members = { clientId, timestamp, eventType, sessionIdentifier, principalIdentifier, topics };
  return event(`subscriptions/${eventType}`, clientId, members);
}
