/** The AWS SDK's clients as Commander holds them, over the tables and the IoT of this world. */

import {
  ConditionalCheckFailedException,
  type DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  ScanCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import {
  ConflictException,
  GetThingShadowCommand,
  type IoTDataPlaneClient,
  PublishCommand,
  ResourceNotFoundException,
  UpdateThingShadowCommand,
} from '@aws-sdk/client-iot-data-plane';
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

/** The SDK's attribute values are what the tables hold, by another name. */
const plain = (item: object) => item as Record<string, Attribute>;

/** The one place where the SDK's client types are met by something smaller: only `send` is ever called. */
export function dynamoClient(parts: ClientParts): DynamoDBClient {
  const { tables, onViolation } = parts;
  let seen: Attribute | undefined;
  const send = (command: object) =>
    called(parts, () => {
      if (command instanceof GetItemCommand) {
        const { TableName = '', Key = {} } = command.input;
        const item = tables.get(TableName, plain(Key));
        if (TableName === signTableName && item?.grantEpoch) seen = item.recordId;
        return { Item: item };
      }
      if (command instanceof UpdateItemCommand) {
        const { input } = command;
        const named = Object.values(input.ExpressionAttributeNames ?? {});
        const beyond = named.filter((name) => !grantAttributes.includes(name));
        if (input.TableName === signTableName && beyond.length > 0) {
          onViolation(`Commander names ${beyond.join(', ')} of the sign record`);
        }
        const done = tables.update(input as Parameters<Tables['update']>[0]);
        if (!done) throw new ConditionalCheckFailedException({ message: 'no', $metadata: {} });
        if (input.TableName === signTableName && done.after.recordId?.S !== seen?.S) {
          onViolation(`Commander granted in record ${done.after.recordId?.S}, it had read ${seen?.S}`);
        }
        return { Attributes: done.after };
      }
      if (command instanceof QueryCommand) {
        const { TableName = '', ExpressionAttributeValues = {} } = command.input;
        const value = ExpressionAttributeValues[':fleet']?.S ?? '';
        return { Items: tables.query(TableName, { name: fleetTablePartitionKey, value }) };
      }
      if (command instanceof ScanCommand) return { Items: tables.query(command.input.TableName ?? '') };
      if (command instanceof PutItemCommand) {
        const item = plain(command.input.Item ?? {});
        const names = [fleetTablePartitionKey, fleetTableSortKey];
        const key = Object.fromEntries(names.map((name) => [name, item[name] ?? {}]));
        tables.put(fleetTableName, key, item);
        return {};
      }
      throw new Error(`no call of Beam's: ${command.constructor.name}`);
    });
  return { send } as unknown as DynamoDBClient;
}

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
