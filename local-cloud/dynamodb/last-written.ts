/**
 * The items that were written last: the few that signers and beats write over and over are read without asking LevelDB,
 * whose answer takes a turn of another thread. Filled by writes alone, once they are on disk: a read that was on its
 * way meanwhile could bring back what was there before.
 */

import type { WriteOperation } from '../store/journal-records.ts';

const itemsMax = 500;
const charsMax = 8192;

export class LastWritten {
  /** JSON, so that whoever reads an item has one of its own. */
  readonly #items = new Map<string, string>();

  keep(operations: readonly WriteOperation[]): void {
    for (const { key, text } of operations) {
      this.#items.delete(key);
      if (text === undefined) continue;
      if (text.length <= charsMax) this.#items.set(key, text);
      const [oldest] = this.#items.keys();
      if (this.#items.size > itemsMax && oldest !== undefined) this.#items.delete(oldest);
    }
  }

  get(key: string): string | undefined {
    return this.#items.get(key);
  }

  /** After a failed write nobody knows what the disk holds. */
  clear(): void {
    this.#items.clear();
  }
}
