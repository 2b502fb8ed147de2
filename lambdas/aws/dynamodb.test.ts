import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from '@jest/globals';
import { dynamoCalls } from '../../dynamodb/calls.ts';
import { conditionFailed, retrying } from './dynamodb.ts';

let close: () => void = () => {};
afterEach(() => close());

/** A server that gives these answers in turn, the last one again and again. */
async function answering(...answers: ((response: ServerResponse) => unknown)[]) {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    request.resume();
    const answer = answers[Math.min(asked.length, answers.length - 1)];
    asked.push(String(request.headers['x-amz-target']).split('.')[1] ?? '');
    answer?.(response);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const calls = dynamoCalls({
    region: 'local',
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    callsMax: 100,
    credentials: async () => ({ accessKeyId: 'a', secretAccessKey: 'b' }),
    connectMsMax: 500,
    answerBytesMax: 1024,
  });
  close = () => {
    calls.close();
    server.closeAllConnections();
    server.close();
  };
  return { asked, dynamodb: retrying(calls, { maxAttempts: 3, answerMsMax: 200 }) };
}

const refusal = (status: number, name: string) => (response: ServerResponse) =>
  response.writeHead(status).end(JSON.stringify({ __type: `com.amazonaws.dynamodb#${name}`, message: 'no' }));
const found = (response: ServerResponse) => response.end('{"Item":{"a":{"S":"b"}}}');
const read = { TableName: 't', Key: { key: { S: 'k' } }, ConsistentRead: true } as const;
const write = {
  ...read,
  UpdateExpression: 'SET #a = :a',
  ConditionExpression: '#a < :a',
  ExpressionAttributeNames: { '#a': 'a' },
  ExpressionAttributeValues: { ':a': { N: '1' } },
};

test.each([
  ['a failure of DynamoDB', refusal(500, 'InternalServerError')],
  ['too much at once', refusal(400, 'ThrottlingException')],
  ['a connection that ends', (response: ServerResponse) => response.destroy()],
  ['no answer in time', () => undefined],
])('a call is made again after %s', async (_what, fails) => {
  const { asked, dynamodb } = await answering(fails, fails, found);
  expect(await dynamodb.getItem(read)).toEqual({ Item: { a: { S: 'b' } } });
  expect(asked).toEqual(['GetItem', 'GetItem', 'GetItem']);
});

test('three tries are enough, and a refusal that stands is told at once: of a condition by its name', async () => {
  const down = await answering(refusal(503, 'ServiceUnavailable'));
  await expect(down.dynamodb.getItem(read)).rejects.toMatchObject({ name: 'ServiceUnavailable' });
  expect(down.asked).toHaveLength(3);
  close();
  const refusing = await answering(refusal(400, 'ConditionalCheckFailedException'));
  const error: unknown = await refusing.dynamodb.updateItem(write).catch((reason: unknown) => reason);
  expect([conditionFailed(error), conditionFailed(new Error('no')), refusing.asked]).toEqual([
    true,
    false,
    ['UpdateItem'],
  ]);
});
