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

interface Step {
  changes: Change[];
  undo: (() => void)[];
  /** Those who wrote within it wait for all of it. */
  waiting: { resolve(): void; reject(error: unknown): void }[];
}

type LevelEntries = ReturnType<typeof Disk.prototype.level.iterator<string, string>>;

const loadedTogether = 1000;
const recordsRange = { gte: recordPrefix, lt: `${recordPrefix}\uffff` };

export class Writer {
  readonly #disk: Disk;
  readonly #spaces = new Map<string, KeySpace>();
  /** Of the step that is being made; undefined outside of one. */
  #step: Step | undefined;
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

  /** Within a step: part of it, so that all of it is refused or none. */
  write(change: Change): Promise<void> {
    return this.#step ? this.#writeWithin(this.#step, change) : this.#writeAlone(change);
  }

  async #writeAlone(change: Change): Promise<void> {
    if (this.#disk.writes.failed) await this.#disk.ready();
    this.#mustBeTaken();
    const number = ++this.#number;
    change.space.setPending(change.key, { text: change.text, number });
    await this.#commit([change], number);
  }

  #writeWithin(step: Step, change: Change): Promise<void> {
    this.add(change);
    const written = new Promise<void>((resolve, reject) => {
      step.waiting.push({ resolve, reject });
    });
    // Whoever made the step is told of its failure, too: not everybody who wrote within it may be there to hear.
    written.catch(() => undefined);
    return written;
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
    const step: Step = { changes: [], undo: [], waiting: [] };
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
    try {
      // Where there is nothing to write, too: the outcome may rest on what is on its way to the disk.
      await this.#commit(step.changes, number);
      if ('error' in outcome) throw outcome.error;
    } catch (error) {
      for (const { reject } of step.waiting) reject(error);
      throw error;
    }
    for (const { resolve } of step.waiting) resolve();
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
