/** Waits that end early, without an AbortController each: a signer makes several a request, and they are slow to make. */

/** What `Clock.sleep` listens to: an AbortSignal, or a Waker. */
export interface Wakeable {
  readonly aborted: boolean;
  addEventListener(type: 'abort', listener: () => void): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}

/** `Clock.sleep`. */
export type Sleep = (ms: number, signal?: Wakeable) => Promise<void>;

export class Waker implements Wakeable {
  #aborted = false;
  readonly #listeners = new Set<() => void>();

  get aborted(): boolean {
    return this.#aborted;
  }
  addEventListener(_type: 'abort', listener: () => void): void {
    this.#listeners.add(listener);
  }
  removeEventListener(_type: 'abort', listener: () => void): void {
    this.#listeners.delete(listener);
  }
  wake(): void {
    if (this.#aborted) return;
    this.#aborted = true;
    for (const listener of [...this.#listeners]) listener();
  }
}

/** @param late called once the time is over, `work` or not; what it returns is thrown */
export function within<T>(sleep: Sleep, ms: number, work: Promise<T>, late: () => Error): Promise<T> {
  return new Promise((resolve, reject) => {
    const done = new Waker();
    work.then(
      (result) => {
        done.wake();
        resolve(result);
      },
      (error) => {
        done.wake();
        reject(error);
      },
    );
    void sleep(ms, done).then(() => {
      if (!done.aborted) reject(late());
    });
  });
}
