/**
 * Writes for all tables of the store: what is being written is pending until it is on disk. A step (`transact`) sees what the steps and
 * writes before it have made, on disk or not yet; as all are written in their order, it never gets there before them.
 */

import type { Disk } from './disk.ts';
import { recordKey, recordPrefix } from './folder.ts';
import type { WriteOperation } from './journal-records.ts';
import { KeySpace, type View } from './key-space.ts';

export interface Change {
  space: KeySpace;
  key: string;
  /** Undefined: removed. */
  text: string | undefined;
}

type LevelEntries = ReturnType<typeof Disk.prototype.level.iterator<string, string>>;

const loadedTogether = 1000;
const recordsRange = { gte: recordPrefix, lt: `${recordPrefix}\uffff` };

export class Writer {
  readonly #disk: Disk;
  readonly #spaces = new Map<string, KeySpace>();
  /** Of the step that is being made; undefined outside of one. */
  #step: { changes: Change[]; undo: (() => void)[] } | undefined;
  /** Of the last write. */
  #number = 0;

  constructor(disk: Disk) {
    this.#disk = disk;
    // They all are refused.
    disk.onLost(() => {
      for (const space of this.#spaces.values()) space.forgetPending();
    });
    disk.onReopened(() => this.#loadFrom(disk.level.iterator(recordsRange)));
  }

  space(name: string): KeySpace {
    const space = this.#spaces.get(name) ?? new KeySpace(name);
    this.#spaces.set(name, space);
    return space;
  }

  get view(): View {
    return this.#step === undefined ? 'on disk' : 'latest';
  }

  /** Reads every table from disk. */
  async load(): Promise<void> {
    await this.#loadFrom(await this.#disk.reader((level) => level.iterator(recordsRange)));
  }

  async #loadFrom(entries: LevelEntries): Promise<void> {
    const found = new Map<string, Map<string, string>>();
    try {
      for (;;) {
        const some = await entries.nextv(loadedTogether);
        if (some.length === 0) break;
        for (const [levelKey, text] of some) {
          const at = levelKey.indexOf('~', recordPrefix.length);
          const name = levelKey.slice(recordPrefix.length, at);
          const texts = found.get(name) ?? new Map<string, string>();
          found.set(name, texts.set(levelKey.slice(at + 1), text));
        }
      }
    } finally {
      await entries.close();
    }
    for (const name of new Set([...this.#spaces.keys(), ...found.keys()]))
      this.space(name).replace(found.get(name) ?? new Map());
  }

  /** What the queue would refuse must not become pending: nothing would take it back. @throws */
  #mustBeTaken(): void {
    const refusal = this.#disk.writes.refusal();
    if (refusal) throw refusal;
  }

  async write(change: Change): Promise<void> {
    if (this.#disk.writes.failed) await this.#disk.ready();
    this.#mustBeTaken();
    const number = ++this.#number;
    change.space.setPending(change.key, { text: change.text, number });
    await this.#commit([change], number);
  }

  /** Within a step: part of it. */
  add({ space, key, text }: Change): void {
    if (!this.#step) throw new Error(`A change of ${space.name} outside of a step`);
    const before = space.pendingOf(key);
    this.#step.undo.push(() => space.setPending(key, before));
    this.#step.changes.push({ space, key, text });
    space.setPending(key, { text, number: this.#number });
  }

  /** @param action synchronous; when it throws, nothing of it is kept */
  async transact<T>(action: () => T): Promise<T> {
    if (this.#disk.writes.failed) await this.#disk.ready();
    this.#mustBeTaken();
    if (this.#step) throw new Error('A step within a step');
    const number = ++this.#number;
    const step = { changes: [] as Change[], undo: [] as (() => void)[] };
    this.#step = step;
    let outcome: { result: T } | { error: unknown };
    try {
      outcome = { result: action() };
    } catch (error) {
      for (const undo of step.undo.reverse()) undo();
      step.changes = [];
      outcome = { error };
    } finally {
      this.#step = undefined;
    }
    // Where there is nothing to write, too: the outcome may rest on what is on its way to the disk.
    await this.#commit(step.changes, number);
    if ('error' in outcome) throw outcome.error;
    return outcome.result;
  }

  async #commit(changes: readonly Change[], number: number): Promise<void> {
    await this.#disk.writes.write(changes.map(operationOf));
    for (const { space, key, text } of changes) space.settle(key, text, number);
  }
}

function operationOf({ space, key, text }: Change): WriteOperation {
  return { key: recordKey(space.name, key), text };
}
