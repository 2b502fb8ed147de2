import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from '@jest/globals';
import { grant } from '../protocol/sign-record.ts';
import { toUpdateItem } from '../protocol/sign-record-dynamodb.ts';
import { sdkTable } from './dynamodb-sdk.ts';

test('a read is consistent, and a failed call is made once: the SDK repeats no conditional write', async () => {
  const asked: { target: string; body: { ConsistentRead?: boolean } }[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    asked.push({
      target: String(request.headers['x-amz-target']),
      body: JSON.parse(Buffer.concat(chunks).toString()),
    });
    response.writeHead(500, { 'content-type': 'application/x-amz-json-1.0' });
    response.end('{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError","message":"no"}');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  process.env.AWS_ACCESS_KEY_ID ??= 'a';
  process.env.AWS_SECRET_ACCESS_KEY ??= 'b';
  const { port } = server.address() as AddressInfo;
  const table = sdkTable({ table: 'beam-sign', region: 'local', endpoint: `http://127.0.0.1:${port}` });
  const { signal } = new AbortController();
  const update = toUpdateItem('beam-sign', grant('k', { recordId: 'r', grantEpoch: 1 }, 't'));
  await expect(table.updateItem(update, signal)).rejects.toThrow();
  await expect(table.getItem('k', signal)).rejects.toThrow();
  expect(asked.map(({ target }) => target.split('.')[1])).toEqual(['UpdateItem', 'GetItem']);
  expect(asked[1]?.body.ConsistentRead).toBe(true);
  table.close();
  server.closeAllConnections();
  server.close();
});
