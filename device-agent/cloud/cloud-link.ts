/** The pilot's way to the broker, small enough that everything above it can be run without one. */

export interface CloudLink {
  readonly connected: boolean;
  start(): void;
  /** Resolves when the broker has acknowledged (QoS 1); rejects where it has not, at once when not connected. */
  publish(topic: string, payload: string): Promise<void>;
  /** Changes over to a further certificate without a gap. Rejects where that fails: then all is as before. */
  replace?(credentials: { certificate: string; key: string; ca: string | undefined }): Promise<void>;
  stop(): Promise<void>;
}

export interface CloudLinkEvents {
  /** Connected and subscribed: what is published to the filters arrives from now on. */
  onConnected(): void;
  onDisconnected(reason: string): void;
  onMessage(topic: string, payload: Uint8Array): void;
}

export interface Subscription {
  filter: string;
  qos: 0 | 1;
}

/** Raised when a message was not acknowledged: whoever sent it keeps it, or sends what is then true. */
export class NotSentError extends Error {
  override readonly name = 'NotSentError';
}
