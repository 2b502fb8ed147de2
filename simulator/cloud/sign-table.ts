/** The sign table as a signer reaches it over its server's network: the calls below the record's client. */

import { type SignRecord, signTableName, signTablePartitionKey } from '../../protocol/sign-record.ts';
import { fromItem } from '../../protocol/sign-record-dynamodb.ts';
import type { SignTable } from '../../signer/record-client.ts';
import type { SeededChance } from '../../signer/rehearsal/seeded.ts';
import type { Oracle } from '../fleet/oracle.ts';
import type { Way } from '../world/network.ts';
import type { Process } from '../world/process.ts';
import type { Tables } from './dynamodb.ts';
import type { Item } from './expressions.ts';

export interface DynamoFaults {
  /** Answers with an error before it does anything. */
  throttled: number;
  /** Answers with an error, done or not. */
  failing: number;
  /** Nothing arrives at it at all. */
  down: boolean;
}

export class ServiceError extends Error {
  constructor(name: string, message: string) {
    super(message);
    this.name = name;
  }
}

export interface SignTableParts {
  tables: Tables;
  way: Way;
  process: Process;
  chance: SeededChance;
  faults: DynamoFaults;
  oracle: Oracle;
}

/** Whoever asks gives up by itself: a lost question or answer is silence. */
export function signTableOf(parts: SignTableParts): SignTable {
  const { tables, way, process, chance, faults, oracle } = parts;
  const ask = <T>(act: () => T): Promise<T> =>
    process.effect(
      () =>
        new Promise((resolve, reject) => {
          way.up(() => {
            if (faults.down) return;
            if (faults.throttled > 0 && chance.happens(faults.throttled)) {
              const error = new ServiceError('ProvisionedThroughputExceededException', 'slow down');
              way.down(() => reject(error));
              return;
            }
            const fails = faults.failing > 0 && chance.happens(faults.failing);
            const answer = fails && chance.happens(0.5) ? undefined : attempt(act);
            way.down(() => {
              if (fails || !answer) reject(new ServiceError('InternalServerError', 'try again'));
              else if ('error' in answer) reject(answer.error);
              else resolve(answer.value);
            });
          });
        }),
    );
  return {
    getItem: async (key) =>
      (await ask(() => tables.get(signTableName, { [signTablePartitionKey]: { S: key } }))) as
        | Record<string, unknown>
        | undefined,
    updateItem: async (input) => {
      const sent = oracle.send(input);
      return await ask(() => {
        const done = tables.update(input);
        if (!done) {
          throw new ServiceError('ConditionalCheckFailedException', 'The conditional request failed');
        }
        const { before, after } = done;
        oracle.applied(sent, before && recordIn(before), recordIn(after));
        return after as Record<string, unknown>;
      });
    },
  };
}

const recordIn = (item: Item) => fromItem(item) as unknown as SignRecord;

function attempt<T>(act: () => T): { value: T } | { error: unknown } {
  try {
    return { value: act() };
  } catch (error) {
    return { error };
  }
}
