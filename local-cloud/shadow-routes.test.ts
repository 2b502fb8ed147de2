/** The Device Shadow service by either route, MQTT and HTTPS: each error, each limit, the same by both. */

import { readFileSync } from 'node:fs';
import { Agent } from 'node:https';
import {
  DeleteThingShadowCommand,
  GetThingShadowCommand,
  IoTDataPlaneClient,
  ListNamedShadowsForThingCommand,
  UpdateThingShadowCommand,
} from '@aws-sdk/client-iot-data-plane';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import type { MqttClient } from 'mqtt';
import { closed, type Heard, listen, openTestCloud, type TestCloud } from './core-fixture.ts';

let cloud: TestCloud;
let data: IoTDataPlaneClient;
let client: MqttClient;
let inbox: ReturnType<typeof listen>;
const thing = 'demo_routes';
const prefix = (shadow: string) => `$aws/things/${thing}/shadow/name/${shadow}`;

beforeAll(async () => {
  cloud = await openTestCloud();
  const { ready } = cloud;
  data = new IoTDataPlaneClient({
    endpoint: ready.https,
    region: ready.region,
    credentials: ready,
    maxAttempts: 1,
    requestHandler: new NodeHttpHandler({ httpsAgent: new Agent({ ca: readFileSync(ready.ca) }) }),
  });
  client = await cloud.connect(await cloud.device(thing));
  inbox = listen(client);
  for (const shadow of ['by-mqtt', 'by-https']) {
    const filters = ['update', 'get', 'delete'].map((operation) => `${prefix(shadow)}/${operation}/+`);
    await client.subscribeAsync(filters);
  }
});
afterAll(async () => {
  data.destroy();
  await cloud.close();
});

/** What comes of a request over MQTT: its answer's tail and document. */
async function byMqtt(
  operation: string,
  payload: Buffer,
): Promise<{ tail: string; document: Record<string, unknown> }> {
  inbox.heard.length = 0;
  await client.publishAsync(`${prefix('by-mqtt')}/${operation}`, payload, { qos: 1 });
  await inbox.until(1);
  const { topic, text } = inbox.heard[0] as Heard;
  return {
    tail: topic.slice(prefix('by-mqtt').length + 1),
    document: JSON.parse(text) as Record<string, unknown>,
  };
}

const text = (document: unknown) => Buffer.from(JSON.stringify(document));
const deep = (levels: number): unknown => (levels === 0 ? 1 : { a: deep(levels - 1) });

test.each<[number, string, string, Buffer]>([
  [400, 'InvalidRequestException', 'Invalid JSON', Buffer.from('{"state":')],
  [
    400,
    'InvalidRequestException',
    'Invalid JSON: the number at state.desired.a[1].b is beyond what a double holds',
    Buffer.from('{"state":{"desired":{"a":[1.7e308,{"b":-1e400}]}}}'),
  ],
  [400, 'InvalidRequestException', 'Missing required node: state', text({})],
  [400, 'InvalidRequestException', 'State node must be an object', text({ state: 1 })],
  [400, 'InvalidRequestException', 'Desired node must be an object', text({ state: { desired: [] } })],
  [400, 'InvalidRequestException', 'Reported node must be an object', text({ state: { reported: 'x' } })],
  [400, 'InvalidRequestException', 'Invalid version', text({ state: {}, version: 1.5 })],
  [400, 'InvalidRequestException', 'Invalid clientToken', text({ state: {}, clientToken: 'é'.repeat(33) })],
  [
    400,
    'InvalidRequestException',
    'JSON contains too many levels of nesting; maximum is 6',
    text({ state: { desired: deep(7) } }),
  ],
  [400, 'InvalidRequestException', "State contains an invalid node: 'x'", text({ state: { x: {} } })],
  [409, 'ConflictException', 'Version conflict', text({ state: {}, version: 5 })],
  [
    413,
    'RequestEntityTooLargeException',
    'The payload exceeds the maximum size allowed',
    text({ state: { desired: { a: 'x'.repeat(8192) } } }),
  ],
  [
    415,
    'UnsupportedDocumentEncodingException',
    'Unsupported documented encoding; supported encoding is UTF-8',
    Buffer.from([0x7b, 0xff, 0x7d]),
  ],
])('an update is refused with %i %s: %s', async (code, name, message, payload) => {
  expect(await byMqtt('update', payload)).toEqual({
    tail: 'update/rejected',
    document: { code, message, timestamp: expect.any(Number) },
  });
  inbox.heard.length = 0;
  const request = new UpdateThingShadowCommand({ thingName: thing, shadowName: 'by-https', payload });
  await expect(data.send(request)).rejects.toMatchObject({
    name,
    message,
    $metadata: { httpStatusCode: code },
  });
  // AWS: "no MQTT error messages are emitted".
  expect(inbox.heard).toEqual([]);
});

test.each(['get', 'delete'])('%s of a shadow that is not there is refused with 404', async (operation) => {
  const message = (shadow: string) => `No shadow exists with name: '${thing}~${shadow}'`;
  const token = text({ clientToken: 't' });
  expect(await byMqtt(operation, token)).toEqual({
    tail: `${operation}/rejected`,
    document: { code: 404, message: message('by-mqtt'), timestamp: expect.any(Number), clientToken: 't' },
  });
  const of = { thingName: thing, shadowName: 'by-https' };
  const request =
    operation === 'get'
      ? data.send(new GetThingShadowCommand(of))
      : data.send(new DeleteThingShadowCommand(of));
  await expect(request).rejects.toMatchObject({
    name: 'ResourceNotFoundException',
    message: message('by-https'),
  });
});

test('names are bounded by either route', async () => {
  const update = { payload: text({ state: { desired: { a: 1 } } }) };
  for (const names of [
    { thingName: 'a b' },
    { thingName: 'x'.repeat(129) },
    { thingName: thing, shadowName: 'x'.repeat(65) },
    { thingName: thing, shadowName: 'a.b' },
  ]) {
    await expect(data.send(new UpdateThingShadowCommand({ ...names, ...update }))).rejects.toMatchObject({
      name: 'InvalidRequestException',
    });
  }
  const other = await cloud.connect(await cloud.device('demo_names'));
  other.publish(`${prefix('x'.repeat(65))}/update`, update.payload, { qos: 1 }, () => undefined);
  await closed(other);
  const longest = { thingName: 'x'.repeat(128), shadowName: 'y'.repeat(64) };
  await data.send(new UpdateThingShadowCommand({ ...longest, ...update }));
});

test('named shadows are listed page by page, the classic one and deleted ones left out', async () => {
  const names = Array.from({ length: 7 }, (_, n) => `page-${n}`);
  for (const shadowName of [...names, undefined]) {
    const payload = text({ state: { reported: { n: 1 } } });
    await data.send(new UpdateThingShadowCommand({ thingName: 'demo_pages', shadowName, payload }));
  }
  const pageOf = (nextToken?: string) =>
    data.send(new ListNamedShadowsForThingCommand({ thingName: 'demo_pages', pageSize: 3, nextToken }));
  const first = await pageOf();
  expect(first.results).toEqual(names.slice(0, 3));
  // Neither does what is deleted meanwhile hide another, nor does it come.
  await data.send(new DeleteThingShadowCommand({ thingName: 'demo_pages', shadowName: 'page-1' }));
  await data.send(new DeleteThingShadowCommand({ thingName: 'demo_pages', shadowName: 'page-4' }));
  const second = await pageOf(first.nextToken);
  expect(second.results).toEqual(['page-3', 'page-5', 'page-6']);
  expect(second.nextToken).toBeUndefined();
  await expect(pageOf('!')).rejects.toMatchObject({ name: 'InvalidRequestException' });
  await expect(data.send(new ListNamedShadowsForThingCommand({ thingName: 'nobody' }))).rejects.toMatchObject(
    { name: 'ResourceNotFoundException' },
  );
});
