/** The clients as Commander holds them, over the tables and the IoT of this world. */

import {
  ConflictException,
  GetThingShadowCommand,
  type IoTDataPlaneClient,
  PublishCommand,
  ResourceNotFoundException,
  UpdateThingShadowCommand,
} from '@aws-sdk/client-iot-data-plane';
import type { DynamoDb } from '../../lambdas/aws/dynamodb.ts';
import { fleetTableName, fleetTablePartitionKey, fleetTableSortKey } from '../../protocol/fleet-table.ts';
import { signTableName } from '../../protocol/sign-record.ts';
import type { SeededChance } from '../../signer/rehearsal/seeded.ts';
import type { Process } from '../world/process.ts';
import type { Tables } from './dynamodb.ts';
import type { Attribute } from './expressions.ts';
import type { Iot } from './iot.ts';
import { type DynamoFaults, ServiceError } from './sign-table.ts';

/** The attributes of the sign record that Commander's role may name (lambdas/manifest.json). */
const grantAttributes = ['key', 'recordId', 'grantEpoch', 'grantTo'];

const callMsMax = 12;
/** An answer that says no more than that it came. */
const nothing = {};

export interface ClientParts {
  /** The invocation that calls. */
  process: Process;
  tables: Tables;
  iot: Iot;
  chance: SeededChance;
  faults: DynamoFaults;
  onViolation: (text: string) => void;
}

async function called<T>({ process, chance, faults }: ClientParts, act: () => T): Promise<T> {
  return await process.effect(async () => {
    await process.sleep(chance.next() * callMsMax);
    if (faults.down || (faults.throttled > 0 && chance.happens(faults.throttled))) {
      throw new ServiceError('ThrottlingException', 'slow down');
    }
    const fails = faults.failing > 0 && chance.happens(faults.failing);
    const result = fails && chance.happens(0.5) ? undefined : act();
    if (fails || result === undefined) throw new ServiceError('InternalServerError', 'try again');
    return result;
  });
}

/** What Commander sends is what the tables hold, by another name. */
const plain = (item: object) => item as Record<string, Attribute>;

export function dynamoClient(parts: ClientParts): DynamoDb {
  const { tables, onViolation } = parts;
  let seen: Attribute | undefined;
  return {
    getItem: ({ TableName, Key }) =>
      called(parts, () => {
        const item = tables.get(TableName, plain(Key));
        if (TableName === signTableName && item?.grantEpoch) seen = item.recordId;
        return item ? { Item: item } : {};
      }),
    updateItem: (input) =>
      called(parts, () => {
        const named = Object.values(input.ExpressionAttributeNames);
        const beyond = named.filter((name) => !grantAttributes.includes(name));
        if (input.TableName === signTableName && beyond.length > 0) {
          onViolation(`Commander names ${beyond.join(', ')} of the sign record`);
        }
        const done = tables.update({
          ...input,
          Key: plain(input.Key),
          ExpressionAttributeValues: plain(input.ExpressionAttributeValues),
        });
        if (!done) throw new ServiceError('ConditionalCheckFailedException', 'no');
        if (input.TableName === signTableName && done.after.recordId?.S !== seen?.S) {
          onViolation(`Commander granted in record ${done.after.recordId?.S}, it had read ${seen?.S}`);
        }
        return nothing;
      }).then(() => undefined),
    query: ({ TableName, ExpressionAttributeValues }) =>
      called(parts, () => {
        const value = String(plain(ExpressionAttributeValues)[':fleet']?.S);
        return { Items: tables.query(TableName, { name: fleetTablePartitionKey, value }) };
      }),
    scan: ({ TableName }) => called(parts, () => ({ Items: tables.query(TableName) })),
    putItem: ({ Item }) =>
      called(parts, () => {
        const item = plain(Item);
        const names = [fleetTablePartitionKey, fleetTableSortKey];
        const key = Object.fromEntries(names.map((name) => [name, item[name] ?? {}]));
        tables.put(fleetTableName, key, item);
        return nothing;
      }).then(() => undefined),
  };
}

/** The one place where an SDK client's type is met by something smaller: only `send` is ever called. */
export function iotClient(parts: ClientParts): IoTDataPlaneClient {
  const { iot } = parts;
  const send = (command: object) =>
    called({ ...parts, faults: { throttled: parts.faults.throttled, failing: 0, down: false } }, () => {
      if (command instanceof GetThingShadowCommand || command instanceof UpdateThingShadowCommand) {
        const { thingName: thing = '', shadowName: shadow = '' } = command.input;
        const updates = command instanceof UpdateThingShadowCommand;
        const body = updates ? Buffer.from(command.input.payload as Uint8Array).toString('utf8') : '';
        const { tail, payload } = iot.request({ thing, shadow }, updates ? 'update' : 'get', body, 'https');
        if (tail.endsWith('/accepted')) return { payload: Buffer.from(JSON.stringify(payload)) };
        const refusal = { message: String(payload.message), $metadata: {} };
        if (payload.code === 404) throw new ResourceNotFoundException(refusal);
        if (payload.code === 409) throw new ConflictException(refusal);
        throw new ServiceError('InvalidRequestException', refusal.message);
      }
      if (command instanceof PublishCommand) {
        const { topic = '', payload } = command.input;
        iot.publish(topic, Buffer.from(payload as Uint8Array).toString('utf8'));
        return {};
      }
      throw new Error(`no call of Beam's: ${command.constructor.name}`);
    });
  return { send } as unknown as IoTDataPlaneClient;
}
