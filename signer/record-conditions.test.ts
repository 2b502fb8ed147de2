import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { openDynamo } from '../local-cloud/dynamodb/server.ts';
import { applyUpdate, raiseBeat, sign } from '../protocol/sign-record.ts';
import { toAttribute, toUpdateItem } from '../protocol/sign-record-dynamodb.ts';

const holding = { recordId: 'record-0001', epoch: 3, holder: 'demo_a', incarnation: 'i1' };

/** Around one position, so that each comparison comes out each way. */
const near = fc.record({
  recordId: fc.constantFrom('record-0001', 'record-0001', 'record-0001', 'record-0002'),
  epoch: fc.constantFrom(3, 3, 3, 2, 4),
  holder: fc.constantFrom('demo_a', 'demo_a', 'demo_a', 'demo_b'),
  incarnation: fc.constantFrom('i1', 'i1', 'i1', 'i2'),
  height: fc.integer({ min: 9, max: 11 }),
  round: fc.integer({ min: 0, max: 2 }),
  step: fc.integer({ min: 1, max: 3 }),
  lockHeight: fc.integer({ min: 9, max: 11 }),
  lockEpoch: fc.integer({ min: 2, max: 3 }),
  lockBlock: fc.constantFrom('X', 'Y'),
});

test('the written conditions mean to DynamoDB what they mean to the core, whatever the record holds', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'beam-conditions-'));
  const dynamo = await openDynamo(dir, { tables: [{ name: 'beam-sign', partitionKey: 'key' }] });
  const met = { yes: 0, no: 0 };
  const agree = async (item: Record<string, string | number>, update: ReturnType<typeof sign>) => {
    const Item = Object.fromEntries(
      Object.entries({ ...item, key: update.key }).map(([name, value]) => [name, toAttribute(value)]),
    );
    await dynamo.perform('PutItem', { TableName: 'beam-sign', Item });
    const { status } = await dynamo.perform('UpdateItem', { ...toUpdateItem('beam-sign', update) });
    const expected = applyUpdate(item, update) !== undefined;
    expect(status).toBe(expected ? 200 : 400);
    met[expected ? 'yes' : 'no'] += 1;
  };
  await fc.assert(
    fc.asyncProperty(near, fc.constantFrom(...(['X', '', undefined] as const)), async (item, voteFor) => {
      const at = { height: 10, round: 1, step: voteFor === undefined ? 1 : 2, voteFor } as const;
      const entry = { ...at, signBytes: 'b', timestamp: 't', attempt: 'a' };
      await agree(item, sign('k', holding, entry));
      await agree(item, raiseBeat('k', holding, 1, false));
    }),
    { numRuns: 80, seed: 4 },
  );
  expect(Math.min(met.yes, met.no)).toBeGreaterThan(20);
  await dynamo.close();
  rmSync(dir, { recursive: true });
}, 30_000);
