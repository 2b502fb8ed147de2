/** The sign record's conditions, as an engine's DynamoDB judges them, beside the model that the proofs rest on (`applyUpdate`). */

import {
  ConditionalCheckFailedException,
  type DynamoDBClient,
  GetItemCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import {
  applyUpdate,
  claim,
  enrol,
  grant,
  type Holding,
  type ItemUpdate,
  renewIncarnation,
  sign,
  signTableName,
  signTablePartitionKey,
} from '../../protocol/sign-record.ts';
import { fromItem, toAttribute, toUpdateItem } from '../../protocol/sign-record-dynamodb.ts';
import { SeededChance } from '../../signer/rehearsal/seeded.ts';

const seed = 20_261_127;
const updates = 80;
const floor = { height: 9, round: 0, step: 3 } as const;
const key = `engine-1/${'AB'.repeat(20)}`;

type Item = Record<string, unknown> | undefined;

/** What two servers and Commander may send: mostly what fits the record as it is, else whatever somebody might believe. */
function anyUpdate(chance: SeededChance, item: Item): ItemUpdate {
  const fitting = <T extends string | number>(attribute: string, others: readonly T[]): T => {
    const found = item?.[attribute] as T | undefined;
    return found !== undefined && chance.happens(0.9) ? found : chance.pick(others);
  };
  const recordId = fitting('recordId', ['record-0001', 'record-0002']);
  const holding: Holding = {
    recordId,
    epoch: fitting('epoch', [0, 1, 2, 3]),
    holder: fitting('holder', ['drill_a', 'drill_b']),
    incarnation: fitting('incarnation', ['i-1', 'i-2']),
  };
  const height = Number(item?.height ?? 0) + chance.pick([-1, 0, 0, 0, 1]);
  const position = { height, round: chance.below(2), step: chance.pick([1, 2, 3] as const) };
  switch (chance.below(10)) {
    case 0:
      return chance.happens(0.3)
        ? enrol(key, recordId, position)
        : renewIncarnation(key, holding, chance.pick(['i-1', 'i-2']));
    case 1:
      return grant(
        key,
        { recordId, grantEpoch: fitting('grantEpoch', [0, 1, 2]) },
        chance.pick(['drill_a', 'drill_b']),
      );
    case 2:
    case 3:
      return claim(key, {
        ...holding,
        epoch: fitting('grantEpoch', [1, 2, 3]),
        holder: fitting('grantTo', ['drill_a', 'drill_b']),
        incarnation: chance.pick(['i-1', 'i-2']),
      });
    default: {
      const entry = { ...position, signBytes: 'AQ==', timestamp: '1.0', attempt: 't' };
      if (chance.happens(0.2)) return sign(key, holding, entry);
      return sign(key, holding, { ...entry, voteFor: chance.pick(['', 'block-x', 'block-y']) });
    }
  }
}

/**
 * @returns how many updates were made and how many of them were taken
 * @throws Error at the first that the engine judges otherwise than the model
 */
export async function compareRecord(dynamodb: DynamoDBClient): Promise<{ updates: number; taken: number }> {
  const chance = new SeededChance(seed);
  let model: Item;
  let taken = 0;
  for (let turn = 1; turn <= updates; turn += 1) {
    const update = turn === 1 ? enrol(key, 'record-0001', floor) : anyUpdate(chance, model);
    const expected = applyUpdate(model, update);
    const answered = await dynamodb
      .send(new UpdateItemCommand(toUpdateItem(signTableName, update)))
      .then(() => true)
      .catch((error) => {
        if (error instanceof ConditionalCheckFailedException) return false;
        throw error;
      });
    const { Item = {} } = await dynamodb.send(
      new GetItemCommand({
        TableName: signTableName,
        Key: { [signTablePartitionKey]: toAttribute(key) },
        ConsistentRead: true,
      }),
    );
    model = expected ?? model;
    if (answered !== (expected !== undefined) || !sameItem(fromItem(Item), model)) {
      throw new Error(
        `update ${turn} of the sign record was ${answered ? 'taken' : 'refused'}: ${JSON.stringify(update)} left ` +
          `${JSON.stringify(fromItem(Item))}; the model has ${JSON.stringify(model)}`,
      );
    }
    if (answered) taken += 1;
  }
  return { updates, taken };
}

function sameItem(found: Record<string, unknown>, expected: Record<string, unknown> = {}): boolean {
  const names = new Set([...Object.keys(found), ...Object.keys(expected)]);
  return [...names].every((name) => found[name] === expected[name]);
}
