/** What the handlers of packets share. */

import type { Logger } from 'pino';
import type { Connection } from './connection.ts';
import type { Ingress } from './ingress.ts';
import type { WillPacket } from './packets.ts';
import type { Peer } from './peer.ts';
import type { LifecycleEvent, PresenceBook } from './presence.ts';
import type { Buckets } from './rates.ts';
import type { SessionBook } from './session-book.ts';

export interface BrokerParts {
  sessions: SessionBook;
  ingress: Ingress;
  presence: PresenceBook;
  /** Connections that are open, by client id. */
  live: Map<string, Connection>;
  /** Wills that wait for their delay, by client id. */
  delayedWills: DelayedWills;
  /** Connects a second, by client id, where AWS's rates hold. */
  connects: Buckets | undefined;
  keepAliveSeconds: { min: number; max: number };
  sessionExpirySecondsMax: number;
  nowMs: () => number;
  log: Logger;
  announce(event: LifecycleEvent): void;
  refused(of: { peer: Peer }, act: string, name: string, why: string): void;
}

export interface DelayedWills {
  add(peer: Peer, will: WillPacket, delaySeconds: number): void;
  /** The session goes on: the will is not sent. */
  cancel(clientId: string): void;
  /** The session ended: the will is sent now. */
  hurry(clientId: string): void;
  /** Goes on with those that an earlier process left. */
  resume(): void;
  /** They wait for the next process. */
  stop(): void;
}
