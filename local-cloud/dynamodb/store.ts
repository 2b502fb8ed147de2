/**
 * The store that dynalite's actions work on: all tables in the cloud's LevelDB, keys prefixed by what they hold.
 *
 * dynalite's own store does not sync its writes, and a fault inside one of its callbacks would end the
 * process. Here each write is on disk before the action goes on (../store/durable-writes.ts), and each request has a
 * store of its own (request-scope.ts): what one of its callbacks throws fails that request and frees the locks it held.
 */
import { Stream } from 'node:stream';
import type { Disk } from '../store/disk.ts';
import type { WriteOperation } from '../store/journal-records.ts';
import { KeyLocks } from './key-locks.ts';
import { LastWritten } from './last-written.ts';
import { type Callback, RequestScope } from './request-scope.ts';

type Release = (callback: Callback<never>) => Callback<never>;

interface StreamRange {
  gt?: string;
  gte?: string;
  lt?: string;
  lte?: string;
  limit?: number;
  reverse?: boolean;
}

/** A key space of the store, as dynalite's actions call it. */
interface SubDb {
  get(key: string, callback: Callback<unknown>): void;
  put(key: string, value: unknown, callback: Callback): void;
  del(key: string, callback: Callback): void;
  lock(key: string, run: (release: Release) => void): void;
  createKeyStream(): Stream;
  createValueStream(range: StreamRange): Stream;
}

export interface TableDescription {
  TableName: string;
  TableStatus: string;
  [field: string]: unknown;
}

export type RunAction = (store: object, callback: (error: unknown, answer?: object) => void) => void;

export interface Store {
  /** Runs one of dynalite's actions. Resolves with its answer and the item it read last; rejects with its error. */
  run(action: RunAction): Promise<{ answer: object }>;
  /** Every table's description. */
  tables(): Promise<TableDescription[]>;
  writeTable(table: TableDescription): Promise<void>;
}

/** An action's error, with the item that it had read under the lock. */
export class ActionError extends Error {
  readonly lastItemRead: unknown;
  constructor(cause: unknown, lastItemRead: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.lastItemRead = lastItemRead;
  }
}

const notFound = (table: string) =>
  Object.assign(new Error(`Table ${table} not found`), {
    name: 'NotFoundError',
    statusCode: 400,
    body: {
      __type: 'com.amazonaws.dynamodb.v20120810#ResourceNotFoundException',
      message: `Requested resource not found: Table: ${table} not found`,
    },
  });

export interface StoreOptions {
  /** Stands in table ARNs. */
  region: string;
}

/** @param disk stays open after `close` */
export function openStore(disk: Disk, { region }: StoreOptions): Store {
  const { writes } = disk;
  const lastWritten = new LastWritten();
  disk.onLost(() => lastWritten.clear());
  const locks = new Map<string, KeyLocks>();

  function locksOf(name: string): KeyLocks {
    const known = locks.get(name) ?? new KeyLocks();
    locks.set(name, known);
    return known;
  }

  function stream(values: AsyncIterable<unknown>, scope: RequestScope): Stream {
    const out = new EndableStream();
    const pump = async () => {
      for await (const value of values) {
        if (out.ended) break;
        out.emit('data', value);
      }
      out.emit('end');
    };
    // Listeners are attached in the same turn, after this returns.
    setImmediate(() => pump().catch((error: unknown) => scope.fail(error)));
    return out;
  }

  function subDb(name: string, scope: RequestScope): SubDb {
    const prefix = `${name}~`;
    const isItems = name.startsWith('item-');
    const write = (operations: WriteOperation[], callback: Callback) => {
      const written = writes.write(operations);
      scope.settle(written, callback, () => {
        if (isItems) lastWritten.keep(operations);
      });
    };
    return {
      get(key, callback) {
        const known = lastWritten.get(prefix + key);
        const read = known === undefined ? disk.get(prefix + key) : Promise.resolve(known);
        const parsed = read.then((text) => (text === undefined ? undefined : (JSON.parse(text) as unknown)));
        scope.settle(parsed, callback, (value) => {
          if (isItems) scope.lastItemRead = value;
        });
      },
      put: (key, value, callback) => write([{ key: prefix + key, text: JSON.stringify(value) }], callback),
      del: (key, callback) => write([{ key: prefix + key, text: undefined }], callback),
      lock(key, run) {
        locksOf(name).acquire(key, (free) => {
          const release = scope.hold(free);
          scope.deliver(run, (callback: Callback<never>) => (error: unknown, value?: never) => {
            release();
            callback(error, value);
          });
        });
      },
      createKeyStream() {
        const range = { gte: prefix, lt: `${prefix}\uffff` };
        const keys = () => disk.reader((level) => level.keys(range));
        return stream(
          read(keys, (key) => key.slice(prefix.length)),
          scope,
        );
      },
      createValueStream(range) {
        const values = () => disk.reader((level) => level.values(prefixed(prefix, range)));
        return stream(
          read(values, (text) => JSON.parse(text) as unknown),
          scope,
        );
      },
    };
  }

  /** Descriptions of active tables do not change here: there is no UpdateTable, and no DeleteTable. */
  const activeTables = new Map<string, TableDescription>();

  /** dynalite's store, as its actions and validations call it, for one request. */
  function storeFor(scope: RequestScope) {
    const tableDb = Object.assign(subDb('table', scope), {
      awsRegion: region,
      awsAccountId: '000000000000',
    });
    return {
      options: { createTableMs: 0, deleteTableMs: 0, updateTableMs: 0, maxItemSize: 409_600 },
      tableDb,
      getItemDb: (table: string) => subDb(`item-${table}`, scope),
      getIndexDb: (type: string, table: string, index: string) =>
        subDb(`index-${type.toLowerCase()}~${table}~${index}`, scope),
      getTagDb: (table: string) => subDb(`tag-${table}`, scope),
      getTable(
        name: string,
        checkOrCallback: boolean | Callback<TableDescription>,
        last?: Callback<TableDescription>,
      ) {
        const checkStatus = typeof checkOrCallback === 'function' || checkOrCallback;
        const callback = typeof checkOrCallback === 'function' ? checkOrCallback : last;
        if (!callback) throw new Error('getTable without a callback');
        const active = checkStatus ? activeTables.get(name) : undefined;
        if (active) return callback(null, active);
        tableDb.get(name, (error, value) => {
          const table = value as TableDescription | undefined;
          if (error) callback(error);
          else if (!table || (checkStatus && table.TableStatus === 'CREATING')) callback(notFound(name));
          else {
            if (checkStatus) activeTables.set(name, table);
            callback(null, table);
          }
        });
      },
    };
  }

  return {
    async run(action) {
      if (writes.failed) await disk.ready();
      return new Promise((resolve, reject) => {
        const scope = new RequestScope((error, lastItemRead) => reject(new ActionError(error, lastItemRead)));
        scope.deliver(action, storeFor(scope), (error: unknown, answer?: object) =>
          error ? scope.fail(error) : resolve({ answer: answer ?? {} }),
        );
      });
    },
    async tables() {
      const values = await disk.reader((level) => level.values({ gte: 'table~', lt: 'table~\uffff' }));
      return (await values.all()).map((text) => JSON.parse(text) as TableDescription);
    },
    writeTable: (table) => writes.write([{ key: `table~${table.TableName}`, text: JSON.stringify(table) }]),
  };
}

async function* read(
  open: () => Promise<AsyncIterable<string>>,
  made: (text: string) => unknown,
): AsyncGenerator<unknown> {
  for await (const text of await open()) yield made(text);
}

function prefixed(prefix: string, range: StreamRange) {
  const { gt, gte, lt, lte, limit = -1, reverse = false } = range;
  return {
    limit,
    reverse,
    ...(gte !== undefined ? { gte: prefix + gte } : gt !== undefined ? { gt: prefix + gt } : { gte: prefix }),
    ...(lte !== undefined
      ? { lte: prefix + lte }
      : lt !== undefined
        ? { lt: prefix + lt }
        : { lt: `${prefix}\uffff` }),
  };
}

/** What dynalite's lazy lists read from: an old-style stream of 'data' and 'end'. */
class EndableStream extends Stream {
  ended = false;
  destroy(): void {
    this.ended = true;
  }
}
