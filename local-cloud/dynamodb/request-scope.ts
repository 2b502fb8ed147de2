/**
 * One request to DynamoDB: what dynalite's callbacks belong to. What one of them throws fails the request, and none of its
 * callbacks is called from then on. The locks it held are freed once no write of its own is under way: whoever gets them
 * next reads what was written.
 */

export type Callback<T = void> = (error: unknown, value?: T) => void;

export class RequestScope {
  /** The item that the request read last. */
  lastItemRead: unknown;
  readonly #reject: (error: unknown, lastItemRead: unknown) => void;
  readonly #held = new Set<() => void>();
  #hasFailed = false;
  #underWay = 0;

  constructor(reject: (error: unknown, lastItemRead: unknown) => void) {
    this.#reject = reject;
  }

  fail(error: unknown): void {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    this.#freeAll();
    this.#reject(error, this.lastItemRead);
  }

  /** Calls back, unless the request failed. */
  deliver<T extends unknown[]>(callback: (...args: T) => void, ...args: T): void {
    if (this.#hasFailed) return;
    try {
      callback(...args);
    } catch (error) {
      this.fail(error);
    }
  }

  /** Calls back with what the work comes to. @param done seen before that, where it went well */
  settle<T>(work: Promise<T>, callback: Callback<T>, done: (value: T) => void): void {
    this.#underWay++;
    const end = (error: unknown, value?: T) => {
      this.#underWay--;
      this.deliver(callback, error, value);
      if (this.#hasFailed) this.#freeAll();
    };
    work.then(
      (value) => {
        done(value);
        end(null, value);
      },
      (error: unknown) => end(error),
    );
  }

  /** @returns what frees the lock */
  hold(free: () => void): () => void {
    const release = () => {
      this.#held.delete(release);
      free();
    };
    if (this.#hasFailed) free();
    else this.#held.add(release);
    return release;
  }

  #freeAll(): void {
    if (this.#underWay > 0) return;
    for (const release of [...this.#held]) release();
  }
}
