/** DynamoDB's API (JSON 1.0) over the cloud's LevelDB, without a port of its own: the HTTPS front hands requests in. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import batchGetItem from 'dynalite/actions/batchGetItem.js';
import batchWriteItem from 'dynalite/actions/batchWriteItem.js';
import createTable from 'dynalite/actions/createTable.js';
import deleteItem from 'dynalite/actions/deleteItem.js';
import describeTable from 'dynalite/actions/describeTable.js';
import describeTimeToLive from 'dynalite/actions/describeTimeToLive.js';
import getItem from 'dynalite/actions/getItem.js';
import listTables from 'dynalite/actions/listTables.js';
import putItem from 'dynalite/actions/putItem.js';
import query from 'dynalite/actions/query.js';
import scan from 'dynalite/actions/scan.js';
import updateItem from 'dynalite/actions/updateItem.js';
import validBatchGetItem from 'dynalite/validations/batchGetItem.js';
import validBatchWriteItem from 'dynalite/validations/batchWriteItem.js';
import validCreateTable from 'dynalite/validations/createTable.js';
import validDeleteItem from 'dynalite/validations/deleteItem.js';
import validDescribeTable from 'dynalite/validations/describeTable.js';
import validDescribeTimeToLive from 'dynalite/validations/describeTimeToLive.js';
import validGetItem from 'dynalite/validations/getItem.js';
import validations from 'dynalite/validations/index.js';
import validListTables from 'dynalite/validations/listTables.js';
import validPutItem from 'dynalite/validations/putItem.js';
import validQuery from 'dynalite/validations/query.js';
import validScan from 'dynalite/validations/scan.js';
import validUpdateItem from 'dynalite/validations/updateItem.js';
import { isObject, parseJson } from '../engines/json-tree.ts';
import { Disk } from '../store/disk.ts';
import { type Check, rememberChecked } from './checked-requests.ts';
import { ActionError, openStore } from './store.ts';

/** What is not here (transactions, PartiQL, streams, DeleteTable, …) is answered UnknownOperationException by name. */
const operations = new Map([
  ['BatchGetItem', { action: batchGetItem, valid: validBatchGetItem }],
  ['BatchWriteItem', { action: batchWriteItem, valid: validBatchWriteItem }],
  ['CreateTable', { action: createTable, valid: validCreateTable }],
  ['DeleteItem', { action: deleteItem, valid: validDeleteItem }],
  ['DescribeTable', { action: describeTable, valid: validDescribeTable }],
  ['DescribeTimeToLive', { action: describeTimeToLive, valid: validDescribeTimeToLive }],
  ['GetItem', { action: getItem, valid: validGetItem }],
  ['ListTables', { action: listTables, valid: validListTables }],
  ['PutItem', { action: putItem, valid: validPutItem }],
  ['Query', { action: query, valid: validQuery }],
  ['Scan', { action: scan, valid: validScan }],
  ['UpdateItem', { action: updateItem, valid: validUpdateItem }],
]);

/** What dynalite checks before an operation's action. */
export const check: Check = (operation, input, store) => {
  const valid = operations.get(operation)?.valid;
  if (!valid) throw new Error(`${operation} is no operation`);
  const checked = validations.checkTypes(input, valid.types);
  validations.checkValidations(checked, valid.types, valid.custom, store);
  return checked;
};

/** A table that is there from the start, its keys strings, billed by request. */
export interface TableDefinition {
  name: string;
  partitionKey: string;
  sortKey?: string;
}

export interface DynamoOptions {
  /** Created at start where missing. */
  tables: TableDefinition[];
  /** Stands in table ARNs. */
  region?: string;
  log?: { error(details: object, message: string): void };
}

export interface Dynamo {
  /** Answers one request whose body was read and whose signature was verified. Never rejects. */
  handle(req: IncomingMessage, res: ServerResponse, body: Buffer): Promise<void>;
  /** One operation without HTTP: what `handle` does between parsing and answering. */
  perform(operation: string, input: Record<string, unknown>): Promise<{ status: number; body: object }>;
  close(): Promise<void>;
}

/**
 * Every acknowledged write is on disk (fdatasync) before its answer goes out.
 * @param place a folder of its own, or the cloud's disk, which then stays open after `close`
 * @throws where the folder can't be opened, or a table can't be made.
 */
export async function openDynamo(place: string | Disk, options: DynamoOptions): Promise<Dynamo> {
  const { tables, region = 'local', log } = options;
  const disk =
    place instanceof Disk
      ? place
      : await Disk.open(place, {
          onFailure: (error) =>
            log?.error(
              { err: error, dir: place },
              'the disk refuses writes; requests fail until there is room',
            ),
        });
  const store = openStore(disk, { region });
  const checked = rememberChecked(check);
  const close = async () => {
    if (disk !== place) await disk.close();
  };

  async function perform(
    operation: string,
    input: Record<string, unknown>,
  ): Promise<{ status: number; body: object }> {
    const known = operations.get(operation);
    if (!known) {
      return refusal(
        'UnknownOperationException',
        `${operation} is not in this DynamoDB`,
        'com.amazon.coral.service',
      );
    }
    const wantsOld = input.ReturnValuesOnConditionCheckFailure === 'ALL_OLD';
    try {
      const { answer } = await store.run((dynaliteStore, callback) => {
        const data = validated(() => checked(operation, input, dynaliteStore));
        known.action(dynaliteStore, data, callback);
      });
      return { status: 200, body: answer };
    } catch (error) {
      const cause = error instanceof ActionError ? error.cause : error;
      if (isClientError(cause)) {
        const failedCondition = /#ConditionalCheckFailedException$/.test(cause.body.__type ?? '');
        const old =
          wantsOld && failedCondition && error instanceof ActionError ? error.lastItemRead : undefined;
        const body = withMessage(cause.body, input);
        return { status: cause.statusCode, body: old ? { ...body, Item: old } : body };
      }
      log?.error({ err: cause, operation }, 'DynamoDB failed on a request');
      return refusal(
        'InternalServerError',
        `${operation} failed in the local cloud; its log says why`,
        undefined,
        500,
      );
    }
  }

  try {
    await finishTables(store);
    for (const table of tables) await ensureTable(table, perform);
  } catch (error) {
    await close();
    throw error;
  }

  return {
    perform,
    async handle(req, res, body) {
      const [version, operation = ''] = String(req.headers['x-amz-target'] ?? '').split('.');
      const input = parseObject(body);
      const answer =
        version !== 'DynamoDB_20120810'
          ? refusal(
              'UnknownOperationException',
              `x-amz-target ${version || 'is missing'}`,
              'com.amazon.coral.service',
            )
          : typeof input === 'string'
            ? refusal('SerializationException', input, 'com.amazon.coral.service')
            : await perform(operation, input);
      const text = JSON.stringify(answer.body);
      res.writeHead(answer.status, {
        'content-type': 'application/x-amz-json-1.0',
        'content-length': Buffer.byteLength(text),
        'x-amzn-requestid': randomUUID(),
      });
      res.end(text);
    },
    close,
  };
}

/** dynalite says nothing of a table that is there already; AWS's clients show the message. */
function withMessage<B extends { __type?: string; message?: string }>(
  body: B,
  { TableName }: Record<string, unknown>,
): B {
  const isUnsaid = body.message === '' && /#ResourceInUseException$/.test(body.__type ?? '');
  return isUnsaid ? { ...body, message: `Table already exists: ${String(TableName)}` } : body;
}

/** What dynalite's checks stumble over (a null where it looks for members, thousands of levels) is bad input: nothing was done yet. */
function validated<T>(check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (isClientError(error)) throw error;
    const { status, body } = refusal(
      'SerializationException',
      `The request has a member of another kind than it must be (${error instanceof Error ? error.message : String(error)})`,
      'com.amazon.coral.service',
    );
    throw Object.assign(new Error(body.message, { cause: error }), { statusCode: status, body });
  }
}

/** A kill between the two writes of CreateTable leaves a table half made. */
async function finishTables(store: ReturnType<typeof openStore>): Promise<void> {
  for (const table of await store.tables()) {
    if (table.TableStatus === 'CREATING') await store.writeTable({ ...table, TableStatus: 'ACTIVE' });
  }
}

const activePollMs = 2;
const activePollsMax = 1_000;

async function ensureTable(definition: TableDefinition, perform: Dynamo['perform']): Promise<void> {
  const { name, partitionKey, sortKey } = definition;
  const keys = [
    { AttributeName: partitionKey, KeyType: 'HASH' },
    ...(sortKey ? [{ AttributeName: sortKey, KeyType: 'RANGE' }] : []),
  ];
  const described = await perform('DescribeTable', { TableName: name });
  if (described.status === 200) {
    const schema = (described.body as { Table: { KeySchema: unknown } }).Table.KeySchema;
    if (JSON.stringify(schema) === JSON.stringify(keys)) return;
    throw new Error(
      `Table ${name} exists with other keys, ${JSON.stringify(schema)}: move its data folder away`,
    );
  }
  const created = await perform('CreateTable', {
    TableName: name,
    BillingMode: 'PAY_PER_REQUEST',
    AttributeDefinitions: keys.map(({ AttributeName }) => ({ AttributeName, AttributeType: 'S' })),
    KeySchema: keys,
  });
  if (created.status !== 200) throw new Error(`Table ${name} can't be made: ${JSON.stringify(created.body)}`);
  for (let poll = 0; poll < activePollsMax; poll++) {
    const { body } = await perform('DescribeTable', { TableName: name });
    if ((body as { Table?: { TableStatus: string } }).Table?.TableStatus === 'ACTIVE') return;
    await new Promise((resolve) => setTimeout(resolve, activePollMs));
  }
  throw new Error(`Table ${name} does not become active`);
}

function refusal(
  type: string,
  message: string,
  namespace = 'com.amazonaws.dynamodb.v20120810',
  status = 400,
) {
  return { status, body: { __type: `${namespace}#${type}`, message } };
}

function isClientError(
  error: unknown,
): error is { statusCode: number; body: { __type?: string; message?: string } } {
  return typeof error === 'object' && error !== null && 'statusCode' in error && 'body' in error;
}

/** @returns what is wrong where it is no object */
function parseObject(body: Buffer): Record<string, unknown> | string {
  try {
    const value = parseJson(body.toString('utf8'));
    return isObject(value) ? value : 'The body is not a JSON object';
  } catch (error) {
    return `The body is not a JSON object: ${String(error)}`;
  }
}
