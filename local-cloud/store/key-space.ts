/**
 * One table's texts in memory, in two views: what is on disk, and what will be once the writes that are under way are (`pending`).
 * Keys are in order.
 */

interface Pending {
  /** Undefined: removed. */
  text: string | undefined;
  /** Of the write: a later one to the same key stays pending when this one is on disk. */
  number: number;
}

export type View = 'on disk' | 'latest';

export class KeySpace {
  readonly name: string;
  #texts = new Map<string, string>();
  readonly #pending = new Map<string, Pending>();
  /** Made when somebody wants an order, and kept in it from then on. */
  #sorted: string[] | undefined;

  constructor(name: string) {
    this.name = name;
  }

  get(key: string, view: View): string | undefined {
    const pending = view === 'latest' ? this.#pending.get(key) : undefined;
    return pending ? pending.text : this.#texts.get(key);
  }

  /** A copy, of the keys from `start` up to the first that does not begin with `prefix`. */
  keys(prefix: string, view: View): string[] {
    const sorted = this.#inOrder();
    const from = prefix === '' ? 0 : firstAtOrAfter(sorted, prefix);
    let to = prefix === '' ? sorted.length : from;
    while (to < sorted.length && sorted[to]?.startsWith(prefix)) to++;
    const keys = sorted.slice(from, to);
    if (view === 'on disk' || this.#pending.size === 0) return keys;
    const latest = new Set(keys);
    for (const [key, { text }] of this.#pending) {
      if (text === undefined) latest.delete(key);
      else if (key.startsWith(prefix)) latest.add(key);
    }
    return [...latest].sort(compare);
  }

  pendingOf(key: string): Pending | undefined {
    return this.#pending.get(key);
  }

  setPending(key: string, pending: Pending | undefined): void {
    if (pending) this.#pending.set(key, pending);
    else this.#pending.delete(key);
  }

  forgetPending(): void {
    this.#pending.clear();
  }

  /** What the write of this number made of the key is on disk now. */
  settle(key: string, text: string | undefined, number: number): void {
    if (text === undefined) this.#remove(key);
    else this.#set(key, text);
    if (this.#pending.get(key)?.number === number) this.#pending.delete(key);
  }

  #set(key: string, text: string): void {
    if (this.#sorted && !this.#texts.has(key)) this.#sorted.splice(firstAtOrAfter(this.#sorted, key), 0, key);
    this.#texts.set(key, text);
  }

  /** By what was read from disk, at one go: readers in between would miss what is there. */
  replace(texts: Map<string, string>): void {
    this.#texts = texts;
    this.#sorted = undefined;
  }

  #remove(key: string): void {
    if (this.#texts.delete(key) && this.#sorted) this.#sorted.splice(firstAtOrAfter(this.#sorted, key), 1);
  }

  #inOrder(): string[] {
    this.#sorted ??= [...this.#texts.keys()].sort(compare);
    return this.#sorted;
  }
}

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

function firstAtOrAfter(sorted: readonly string[], key: string): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] ?? '') < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
