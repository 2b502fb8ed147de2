/** One clock for the whole world: time stands still until the next thing that is due. The same seed, the same order. */

interface Due {
  atMs: number;
  /** Order among what is due at the same time. */
  order: number;
  act: (() => void) | undefined;
}

export interface Timer {
  cancel(): void;
}

export class Scheduler {
  #nowMs = 0;
  #order = 0;
  /** A binary heap, the next one first. */
  readonly #heap: Due[] = [];

  get nowMs(): number {
    return this.#nowMs;
  }

  after(ms: number, act: () => void): Timer {
    const due: Due = { atMs: this.#nowMs + Math.max(0, ms), order: this.#order++, act };
    this.#push(due);
    return {
      cancel: () => {
        due.act = undefined;
      },
    };
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.after(ms, resolve));
  }

  /** Lets time pass, each thing in its turn, until `done` says so or `untilMs` has come. */
  async run(untilMs: number, done: () => boolean = () => false): Promise<void> {
    for (;;) {
      // Everything that follows from what was just done happens before the next thing: microtasks all run first.
      await new Promise((resolve) => setImmediate(resolve));
      if (done()) return;
      let due = this.#heap[0];
      while (due && due.act === undefined) {
        this.#pop();
        due = this.#heap[0];
      }
      if (!due || due.atMs > untilMs) break;
      this.#pop();
      this.#nowMs = Math.max(this.#nowMs, due.atMs);
      due.act?.();
    }
    this.#nowMs = Math.max(this.#nowMs, untilMs);
  }

  #push(due: Due): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(due);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || before(above, due)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = due;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      const left = 2 * at + 1;
      const [a, b] = [heap[left], heap[left + 1]];
      if (a === undefined) break;
      const [child, place] = b !== undefined && before(b, a) ? [b, left + 1] : [a, left];
      if (before(last, child)) break;
      heap[at] = child;
      at = place;
    }
    heap[at] = last;
  }
}

function before(a: Due, b: Due): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}
