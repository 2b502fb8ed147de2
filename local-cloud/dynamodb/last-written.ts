/**
 * The items that were written last: the few that signers and beats write over and over are read without asking LevelDB,
 * whose answer takes a turn of another thread. Filled by writes alone, once they are on disk: a read that was on its
 * way meanwhile could bring back what was there before.
 */

import type { WriteOperation } from '../store/durable-writes.ts';

const itemsMax = 500;
const charsMax = 8192;

export class LastWritten {
  /** JSON, so that whoever reads an item has one of its own. */
  readonly #items = new Map<string, string>();

  keep(operations: readonly WriteOperation[]): void {
    for (const operation of operations) {
      this.#items.delete(operation.key);
      if (operation.type === 'del') continue;
      const text = JSON.stringify(operation.value);
      if (text.length <= charsMax) this.#items.set(operation.key, text);
      const [oldest] = this.#items.keys();
      if (this.#items.size > itemsMax && oldest !== undefined) this.#items.delete(oldest);
    }
  }

  get(key: string): unknown {
    const text = this.#items.get(key);
    return text === undefined ? undefined : JSON.parse(text);
  }

  /** After a failed write nobody knows what the disk holds. */
  clear(): void {
    this.#items.clear();
  }
}
