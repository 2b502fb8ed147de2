/** The local cloud's core with Beam's tables, in this process, for tests of what works on both. No rules, no functions. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { fleetTableName, fleetTablePartitionKey, fleetTableSortKey } from '../protocol/fleet-table.ts';
import { signTableName, signTablePartitionKey } from '../protocol/sign-record.ts';
import { type Core, openCore, type Ready } from './core.ts';
import { type Dynamo, openDynamo } from './dynamodb/server.ts';

export interface TablesCloud {
  core: Core;
  dynamo: Dynamo;
  ready: Omit<Ready, 'ready' | 'mqtt'>;
  /** Of the whole, removed by `close`. */
  dir: string;
  close(): Promise<void>;
}

export async function openTablesCloud(): Promise<TablesCloud> {
  const dir = mkdtempSync(join(tmpdir(), 'beam-tables-'));
  const dynamo = await openDynamo(join(dir, 'dynamodb'), {
    tables: [
      { name: fleetTableName, partitionKey: fleetTablePartitionKey, sortKey: fleetTableSortKey },
      { name: signTableName, partitionKey: signTablePartitionKey },
    ],
  });
  const core = await openCore(
    { dataDir: join(dir, 'core'), mqttPort: 0, httpsPort: 0, log: pino({ level: 'silent' }) },
    () => ({ load: () => undefined, remove: () => undefined }),
  );
  const ready = await core.listenHttps((request, response, body) => dynamo.handle(request, response, body));
  return {
    core,
    dynamo,
    ready,
    dir,
    async close() {
      await core.close();
      await dynamo.close();
      rmSync(dir, { recursive: true });
    },
  };
}
