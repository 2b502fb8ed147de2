/** A table of sign records in memory, behind a network that loses, delays and repeats nothing in order. */

import { comparePositions } from '../../protocol/sign-position.ts';
import { applyUpdate, type ItemUpdate, type SignRecord } from '../../protocol/sign-record.ts';
import type { ReadOutcome, RecordStore, UpdateOutcome } from '../core/ports.ts';
import type { SeededChance, SteppedClock } from './seeded.ts';

/** How often what goes wrong. Latencies in ms, one way. */
export interface NetworkFaults {
  latencyMsMax: number;
  /** The question never arrives. */
  lost: number;
  /** It is done, and the answer never arrives. */
  unanswered: number;
  /** It is given up by who asked, and done later all the same. */
  late: number;
  /** Half of it at least. */
  lateMsMax: number;
}

export const quietNetwork: NetworkFaults = {
  latencyMsMax: 10,
  lost: 0,
  unanswered: 0,
  late: 0,
  lateMsMax: 0,
};

export class Table {
  readonly items = new Map<string, Record<string, unknown>>();
  /** All that the record ever held. */
  readonly signBytesHeld = new Set<unknown>();
  readonly #clock: SteppedClock;
  readonly #chance: SeededChance;

  constructor(clock: SteppedClock, chance: SeededChance) {
    this.#clock = clock;
    this.#chance = chance;
  }

  /** @throws where an update would lower what only ever rises: the conditions of the protocol are broken. */
  apply(update: ItemUpdate): Record<string, unknown> | undefined {
    const before = this.items.get(update.key);
    const after = applyUpdate(before, update);
    if (!after) return undefined;
    if (before && !update.key.includes('#')) checkRises(before as SignRecord, after as SignRecord);
    this.items.set(update.key, after);
    this.signBytesHeld.add(after.signBytes);
    return after;
  }

  store(faults: () => NetworkFaults): RecordStore {
    const clock = this.#clock;
    const chance = this.#chance;
    const hop = () => clock.sleep(chance.next() * faults().latencyMsMax);
    const gaveUp = (timeoutMs: number) =>
      clock.sleep(timeoutMs).then(() => ({ kind: 'doubt', cause: 'timed out' }) as const);
    return {
      read: (key, timeoutMs) => {
        const answer = async (): Promise<ReadOutcome> => {
          if (chance.happens(faults().lost)) return await gaveUp(timeoutMs);
          await hop();
          const item = this.items.get(key);
          await hop();
          return item ? { kind: 'found', item } : { kind: 'absent' };
        };
        return Promise.race([answer(), gaveUp(timeoutMs)]);
      },
      update: (update, timeoutMs) => {
        const answer = async (): Promise<UpdateOutcome> => {
          const { lost, unanswered, late, lateMsMax } = faults();
          if (chance.happens(lost)) return await gaveUp(timeoutMs);
          if (chance.happens(late)) {
            void clock.sleep((lateMsMax * (1 + chance.next())) / 2).then(() => this.apply(update));
            return await gaveUp(timeoutMs);
          }
          await hop();
          const item = this.apply(update);
          if (chance.happens(unanswered)) return await gaveUp(timeoutMs);
          await hop();
          return item ? { kind: 'done', item } : { kind: 'refused' };
        };
        return Promise.race([answer(), gaveUp(timeoutMs)]);
      },
    };
  }
}

function checkRises(before: SignRecord, after: SignRecord): void {
  const order = comparePositions(after, before);
  if (after.epoch < before.epoch || order < 0 || (order === 0 && after.signBytes !== before.signBytes)) {
    throw new Error(`the record went from ${JSON.stringify(before)} to ${JSON.stringify(after)}`);
  }
}
