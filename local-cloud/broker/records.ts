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

/** A will that waits for its delay. */
export interface WillRecord extends Omit<MessageRecord, 'expiresAtMs'> {
  retain: boolean;
  /** From when it is sent. */
  expirySeconds?: number;
  clientId: string;
  principalId: string;
  ipAddress: string;
  dueAtMs: number;
}

export interface RetainedRecord extends Omit<MessageRecord, 'topic'> {
  atMs: number;
}
