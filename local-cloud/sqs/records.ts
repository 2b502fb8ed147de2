/** What is on disk of queues and of the messages in them. Times are ms since the epoch. */

export interface MessageAttribute {
  DataType: string;
  StringValue?: string;
  /** base64 */
  BinaryValue?: string;
}

export interface QueueRecord {
  name: string;
  /** SQS's own, as texts. */
  attributes: Record<string, string>;
  tags: Record<string, string>;
  createdAtMs: number;
  modifiedAtMs: number;
}

export interface QueueMessageRecord {
  messageId: string;
  body: string;
  attributes: Record<string, MessageAttribute>;
  sentAtMs: number;
  /** Not before. */
  visibleAtMs: number;
}
