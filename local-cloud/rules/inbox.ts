/** The messages that rules act on, on disk until they did. */
import type { Store } from '../store/store.ts';
import type { InboxRecord } from './records.ts';

export interface RulesInbox {
  add(record: InboxRecord, payload: Buffer): { id: string; stored: Promise<void> };
  /** One more run of this program begins with the message. */
  noteRun(id: string, runs: number): Promise<void>;
  /** Nobody waits for it: a message that is left by a crash is done again. */
  remove(id: string): void;
  /** In the order of their coming. */
  all(): { id: string; record: InboxRecord; payload: Buffer }[];
}

/** Digits of a message's number: keys must sort as the numbers do. */
const numberDigits = 14;

export function openRulesInbox(
  store: Pick<Store, 'ruleMessages'>,
  failed: (error: unknown) => void,
): RulesInbox {
  const { ruleMessages } = store;
  let lastNumber = Math.max(0, ...[...ruleMessages.entries()].map(([id]) => Number(id)));
  return {
    add(record, payload) {
      const id = String(++lastNumber).padStart(numberDigits, '0');
      return { id, stored: ruleMessages.put(id, { ...record, payload: payload.toString('base64') }) };
    },
    async noteRun(id, runs) {
      const stored = ruleMessages.get(id);
      if (stored) await ruleMessages.put(id, { ...stored, runs });
    },
    remove(id) {
      ruleMessages.remove(id).catch(failed);
    },
    all: () =>
      [...ruleMessages.entries()].map(([id, { payload, ...record }]) => ({
        id,
        record,
        payload: Buffer.from(payload, 'base64'),
      })),
  };
}
