/** First come, first served, one holder a key. */
export class KeyLocks {
  readonly #queues = new Map<string, (() => void)[]>();

  /** Calls `run` once the key is free, at once if it is now. The release may be called more than once. */
  acquire(key: string, run: (release: () => void) => void): void {
    const queue = this.#queues.get(key);
    const start = () => run(this.#releaseOnce(key));
    if (queue) queue.push(start);
    else {
      this.#queues.set(key, []);
      start();
    }
  }

  #releaseOnce(key: string): () => void {
    let released = false;
    return () => {
      if (released) return;
      released = true;
      const next = this.#queues.get(key)?.shift();
      if (next) setImmediate(next);
      else this.#queues.delete(key);
    };
  }
}
