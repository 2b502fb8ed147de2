/** AWS's rates (general reference, "AWS IoT Core endpoints and quotas"), as buckets that fill with time. */

/** A client id may connect once a second. */
export const connectsPerSecond = 1;
/** PUBLISH packets of one connection, to it and from it; what is more is discarded. */
export const publishesPerSecond = 100;
/** Bytes of one connection; what is more is read later. */
export const bytesPerSecond = 512 * 1024;
/** Messages that were stored for a session, after its client is back. */
export const storedPerSecond = 10;
/** Requests to the shadows of one thing. */
export const shadowRequestsPerSecond = 20;
/** Requests of one connection that the shadow service has not answered. */
export const shadowRequestsInFlightMax = 10;

/** Holds what fills in one second. */
export class Bucket {
  readonly #perSecond: number;
  #level: number;
  #atMs: number;

  constructor(perSecond: number, nowMs: number) {
    this.#perSecond = perSecond;
    this.#level = perSecond;
    this.#atMs = nowMs;
  }

  /** @returns whether there was as much in it; if not, it stays as it is */
  take(amount: number, nowMs: number): boolean {
    this.#fill(nowMs);
    if (this.#level < amount) return false;
    this.#level -= amount;
    return true;
  }

  /** Takes what cannot be refused any more. @returns ms until the bucket holds something again; 0 where it does */
  overdraw(amount: number, nowMs: number): number {
    this.#fill(nowMs);
    this.#level -= amount;
    return this.#level > 0 ? 0 : Math.ceil((-this.#level / this.#perSecond) * 1000) + 1;
  }

  get isFull(): boolean {
    return this.#level >= this.#perSecond;
  }

  #fill(nowMs: number): void {
    const elapsedMs = Math.max(0, nowMs - this.#atMs);
    this.#level = Math.min(this.#perSecond, this.#level + (elapsedMs * this.#perSecond) / 1000);
    this.#atMs = nowMs;
  }
}

/** Buckets by name, of which those that are full again are dropped now and then. */
export class Buckets {
  readonly #perSecond: number;
  readonly #buckets = new Map<string, Bucket>();
  #dropAt = 1000;

  constructor(perSecond: number) {
    this.#perSecond = perSecond;
  }

  take(name: string, nowMs: number): boolean {
    let bucket = this.#buckets.get(name);
    if (!bucket) {
      if (this.#buckets.size >= this.#dropAt) this.#drop(nowMs);
      bucket = new Bucket(this.#perSecond, nowMs);
      this.#buckets.set(name, bucket);
    }
    return bucket.take(1, nowMs);
  }

  #drop(nowMs: number): void {
    for (const [name, bucket] of this.#buckets) {
      bucket.take(0, nowMs);
      if (bucket.isFull) this.#buckets.delete(name);
    }
    this.#dropAt = Math.max(1000, this.#buckets.size * 2);
  }
}
