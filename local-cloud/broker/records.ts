/** What the broker keeps on disk. */

/** Properties of MQTT 5 that travel with a message to its receivers. */
export interface MessageProperties {
  payloadFormatIndicator?: boolean;
  contentType?: string;
  responseTopic?: string;
  correlationData?: Buffer;
  userProperties?: Record<string, string | string[]>;
}

/** A message on disk: bytes as base64. */
export interface MessageRecord {
  topic: string;
  payload: string;
  qos: 0 | 1;
  expiresAtMs?: number;
  properties?: Omit<MessageProperties, 'correlationData'> & { correlationData?: string };
}

export interface SessionRecord {
  id: string;
  kind: 3 | 5;
  expirySeconds: number;
  /** Left out while the client is connected, or was when the process ended. */
  leftAtMs?: number;
  subscriptions: { filter: string; qos: 0 | 1; noLocal?: true; retainAsPublished?: true }[];
}

export interface QueuedRecord extends MessageRecord {
  retain?: true;
}

export interface RetainedRecord extends Omit<MessageRecord, 'topic'> {
  atMs: number;
}
