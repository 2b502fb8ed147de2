import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from '@jest/globals';
import { grant } from '../protocol/sign-record.ts';
import { toUpdateItem } from '../protocol/sign-record-dynamodb.ts';
import { dynamoTable } from './dynamodb.ts';

process.env.AWS_ACCESS_KEY_ID ??= 'a';
process.env.AWS_SECRET_ACCESS_KEY ??= 'b';

type Answer = (request: { headers: IncomingHttpHeaders; text: string }, response: ServerResponse) => void;
let close: () => void = () => {};
afterEach(() => close());

async function tableAnswering(answer: Answer) {
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    answer({ headers: request.headers, text: Buffer.concat(chunks).toString() }, response);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const table = dynamoTable({ table: 'beam-sign', region: 'local', endpoint: `http://127.0.0.1:${port}` });
  close = () => {
    table.close();
    server.closeAllConnections();
    server.close();
  };
  return table;
}
const { signal } = new AbortController();
const update = toUpdateItem('beam-sign', grant('k', { recordId: 'r', grantEpoch: 1 }, 't'));

test('a read is consistent, and a failed call is made once: no conditional write is repeated', async () => {
  const asked: { target: string; body: { ConsistentRead?: boolean } }[] = [];
  const table = await tableAnswering(({ headers, text }, response) => {
    asked.push({ target: String(headers['x-amz-target']), body: JSON.parse(text) });
    response.writeHead(500, { 'content-type': 'application/x-amz-json-1.0' });
    response.end('{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError","message":"no"}');
  });
  await expect(table.updateItem(update, signal)).rejects.toMatchObject({
    name: 'InternalServerError',
    message: 'no',
  });
  await expect(table.getItem('k', signal)).rejects.toThrow();
  expect(asked.map(({ target }) => target.split('.')[1])).toEqual(['UpdateItem', 'GetItem']);
  expect(asked[1]?.body.ConsistentRead).toBe(true);
});

test.each([
  ['a page of a proxy', '<html>502</html>', 502, 'HTTP 502'],
  ['a refusal without words', '', 400, 'HTTP 400'],
  ['a success that is no JSON', '{', 200, 'SyntaxError'],
  ['a success without an item', '{}', 200, undefined],
  ['an answer without end', ' '.repeat(2 ** 21), 200, 'Error'],
])('an answer is what it says, or an error: %s', async (_what, body, status, name) => {
  const table = await tableAnswering((_request, response) => response.writeHead(status).end(body));
  const reading = table.getItem('k', signal);
  if (name === undefined) expect(await reading).toBeUndefined();
  else await expect(reading).rejects.toMatchObject({ name });
});

test('a call that is given up ends its connection, and the next one has another', async () => {
  let answers = false;
  const table = await tableAnswering((_request, response) => {
    if (answers) response.end('{"Item":{"a":{"S":"b"}}}');
  });
  const giveUp = new AbortController();
  const reading = table.getItem('k', giveUp.signal);
  setTimeout(() => giveUp.abort('too late'), 20);
  await expect(reading).rejects.toBeDefined();
  answers = true;
  expect(await table.getItem('k', signal)).toEqual({ a: { S: 'b' } });
});

test('a clock that is off is told by a refusal, the next call is signed by the clock of DynamoDB; and once it is right again, by its own', async () => {
  const minuteMs = 60_000;
  const dates: number[] = [];
  let aheadMs = 60 * minuteMs;
  const table = await tableAnswering(({ headers }, response) => {
    const date = String(headers['x-amz-date']).replace(
      /^(\d{4})(\d\d)(\d\dT\d\d)(\d\d)(\d\dZ)$/,
      '$1-$2-$3:$4:$5',
    );
    const now = Date.now() + aheadMs;
    dates.push(Date.parse(date) - Date.now());
    response.setHeader('date', new Date(now).toUTCString());
    const refused = Math.abs(Date.parse(date) - now) > 5 * minuteMs;
    response.writeHead(refused ? 400 : 200);
    response.end(refused ? '{"__type":"x#InvalidSignatureException","message":"expired"}' : '{}');
  });
  const signedOffBy = () => Math.round((dates.at(-1) ?? Number.NaN) / minuteMs);
  await expect(table.updateItem(update, signal)).rejects.toThrow('expired');
  await table.updateItem(update, signal);
  expect(signedOffBy()).toBe(60);
  aheadMs = 0;
  await expect(table.updateItem(update, signal)).rejects.toThrow('expired');
  await table.updateItem(update, signal);
  expect(signedOffBy()).toBeCloseTo(0);
});
