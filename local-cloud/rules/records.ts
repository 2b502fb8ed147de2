/** What is on disk of a message that rules act on. */

import type { MessageProperties } from '../engines/sql/message.ts';

export interface InboxRecord {
  /** Without Basic Ingest's prefix. */
  topic: string;
  clientId?: string;
  principal?: string;
  sourceIp?: string;
  properties?: MessageProperties;
  traceId: string;
  /** ms since the epoch. */
  receivedAt: number;
  /** Those that it set off. */
  rules: string[];
  /** How many rules led to it, it included. */
  hops: number;
  /** Runs of this program that found it left over. */
  runs: number;
}

export interface StoredInboxRecord extends InboxRecord {
  /** base64 */
  payload: string;
}
