/** `beam cloud backup` and `restore` under real signers: what comes out of a backup is signed with by nobody. */
import { mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { backupFolder } from '../local-cloud/data-folder/commands.ts';
import { restoreBackup } from '../local-cloud/data-folder/restore.ts';
import { openDynamo } from '../local-cloud/dynamodb/server.ts';
import { openFolder } from '../local-cloud/store/folder.ts';
import { enrol, join as joinRecord } from './enrol.ts';
import { Bench, type DynamoApi, stateOf, until } from './rehearsal/bench.ts';

const folder = mkdtempSync(join(tmpdir(), 'beam-restored-'));
const bench = new Bench();
let cloud: DynamoApi;

async function openCloud(data: string): Promise<void> {
  const disk = await openFolder(data);
  const dynamo = await openDynamo(disk, { tables: [{ name: 'beam-sign', partitionKey: 'key' }] });
  cloud = {
    handle: (...request) => dynamo.handle(...request),
    perform: (...request) => dynamo.perform(...request),
    async close() {
      await dynamo.close();
      await disk.close();
    },
  };
}

beforeAll(async () => {
  await openCloud(join(folder, 'data'));
  await bench.start(async () => ({
    handle: (...request) => cloud.handle(...request),
    perform: (...request) => cloud.perform(...request),
    close: () => cloud.close(),
  }));
});
afterAll(async () => {
  await bench.clear();
  await bench.stop();
  rmSync(folder, { recursive: true });
});

test('signers refuse a record that was restored, say so, and sign again only once they are enrolled anew', async () => {
  const home = bench.makeHome('a');
  const { recordId } = await enrol({ home, guard: 'record', chainNotStarted: true });
  const node = bench.startNode(home);
  const signer = await bench.startSigner(home);
  await bench.grantTo('demo_a');
  await until(stateOf(signer, 'active'), 'an active one');
  expect(await node.ask({ height: 1, step: 3, block: 'one' })).toBe('signed');
  /** The cloud is away meanwhile. */
  const whileStopped = async (act: () => Promise<unknown>, then: string) => {
    bench.dynamoUp = false;
    await cloud.close();
    await act();
    await openCloud(join(folder, then));
    bench.dynamoUp = true;
  };
  const file = join(folder, 'backup');
  await whileStopped(() => backupFolder(join(folder, 'data'), file), 'data');
  // The backup is behind this one.
  bench.chain.height = 1;
  expect(await node.settled({ height: 2, step: 3, block: 'two' })).toBe('signed');

  await whileStopped(() => restoreBackup(file, join(folder, 'restored')), 'restored');
  await until(stateOf(signer, 'refusing'), 'a refusal');
  expect(signer.status().reason).toMatch(/is another one .*it was restored or enrolled again/);
  expect(await node.settled({ height: 2, step: 3, block: 'another' })).toBe('record-replaced');
  expect(await node.settled({ height: 3, step: 2, block: 'three' })).toBe('record-replaced');
  // No grant (nobody claims it), no restart and no other server is a way round it.
  await bench.grantTo('demo_a');
  await bench.stopLast();
  const again = await bench.startSigner(home);
  await until(stateOf(again, 'refusing'), 'a refusal after a restart');
  expect(await node.settled({ height: 3, step: 2, block: 'three' })).toBe('record-replaced');
  await expect(joinRecord({ home: bench.makeHome('b') })).rejects.toThrow(/seal/);

  // As docs/local-cloud.md tells it: the state moved away, the record deleted by hand, enrolled with the newest state.
  await bench.stopLast();
  await expect(enrol({ home, guard: 'record' })).rejects.toThrow(/enrolled/);
  const former = join(folder, 'former-state');
  renameSync(join(home, 'signer/state'), former);
  await bench.deleteRecord();
  bench.chain.blocksALook = 3;
  const plan = await enrol({ home, guard: 'record', imports: [join(former, 'state.json')] });
  bench.chain.blocksALook = 0;
  expect(plan.recordId).not.toBe(recordId);
  const anew = await bench.startSigner(home);
  await bench.grantTo('demo_a');
  await until(stateOf(anew, 'active'), 'an active one');
  expect(await node.settled({ height: 2, step: 3, block: 'another' })).toBe('position-below');
  expect(await node.settled({ height: plan.floor.height + 1, step: 2, block: 'on' })).toBe('signed');
}, 30_000);
