/**
 * The journal, at most one line behind what was released. A signature's line is in the state file (`lastEntry`) before the signature leaves, so
 * that an answer waits for one write and not for two. From there it comes into the journal behind the answer: before the state
 * goes on to the next line, or, where the process ended in between, at the next start.
 */

import type { JournalEntry } from '../../protocol/signer-control.ts';
import { Refusal } from '../refusal.ts';
import { type Meter, timed } from './meter.ts';
import type { Clock, Journal } from './ports.ts';

export interface JournalKeeperParts {
  journal: Journal;
  clock: Clock;
  meter?: Meter | undefined;
}

export class JournalKeeper {
  readonly #parts: JournalKeeperParts;
  /** The line that the journal lacks. */
  #behind: JournalEntry | undefined;
  #appending: Promise<void> = Promise.resolve();

  constructor(parts: JournalKeeperParts) {
    this.#parts = parts;
  }

  /** At a start: what the former process left. @param entry of the state as it was found */
  async catchUp(entry: JournalEntry | undefined): Promise<void> {
    if (!entry) return;
    // A journal that can't be used keeps no signer from its start: whether it had the line or not, it is written before the first signature.
    const had = await this.#parts.journal.has(entry).catch(() => false);
    if (!had) this.note(entry);
  }

  /** Has a line written once the answer is on its way: nobody waits for it now. `settle` was called before. */
  note(entry: JournalEntry): void {
    this.#behind = entry;
    this.#appending = this.#parts.clock
      .sleep(0)
      .then(() => this.#append(entry))
      .catch(() => {});
  }

  /** Resolves when the journal lacks nothing: what could not be written is tried once more. @throws Refusal */
  async settle(): Promise<void> {
    await this.#appending;
    if (!this.#behind) return;
    try {
      await this.#append(this.#behind);
    } catch (error) {
      throw new Refusal(
        'state-unwritten',
        'the journal could not be written, so nothing more is signed; make room or mend the disk, and signing goes on by itself',
        { cause: error },
      );
    }
  }

  async #append(entry: JournalEntry): Promise<void> {
    const { journal, clock, meter } = this.#parts;
    await timed(meter, clock, 'journal', () => journal.append(entry));
    this.#behind = undefined;
  }
}
