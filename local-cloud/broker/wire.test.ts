import { once } from 'node:events';
import { connect, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type Device, openTestCloud, type TestCloud } from '../core-fixture.ts';

let cloud: TestCloud;
let device: Device;
beforeAll(async () => {
  cloud = await openTestCloud();
  device = await cloud.device('demo_raw');
});
afterAll(async () => {
  await cloud.close();
});

const field = (text: string) => Buffer.concat([Buffer.from([0, text.length]), Buffer.from(text)]);
/** A packet whose remaining length fits one byte. */
const packet = (type: number, ...parts: Buffer[]) => {
  const rest = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([type, rest.length]), rest]);
};
const hello = (clean: boolean) =>
  packet(0x10, field('MQTT'), Buffer.from([4, clean ? 2 : 0, 0, 60]), field('demo_raw'));
const id = Buffer.from([0, 1]);
const qos = (level: number) => Buffer.from([level]);

/** Sends bytes as they are, and waits until the broker closes the connection or has had its time. */
async function send(...bytes: Buffer[]): Promise<TLSSocket> {
  const { certificatePem, keyPem } = device;
  const socket = connect({
    host: 'localhost',
    port: cloud.port,
    ca: cloud.caPem,
    cert: certificatePem,
    key: keyPem,
  });
  socket.on('error', () => undefined);
  socket.on('data', () => undefined);
  await once(socket, 'secureConnect');
  socket.write(Buffer.concat(bytes));
  await Promise.race([once(socket, 'close'), new Promise((resolve) => setTimeout(resolve, 60))]);
  socket.destroy();
  return socket;
}

async function expectAlive(): Promise<void> {
  const client = await cloud.connect(device, { clientId: 'demo_alive' });
  await client.publishAsync('alive', 'x', { qos: 1 });
  expect(client.connected).toBe(true);
  await client.endAsync();
}

test.each([
  ['a SUBSCRIBE without filters', packet(0x82, id)],
  ['a SUBSCRIBE with an empty filter', packet(0x82, id, field(''), qos(1))],
  ['a SUBSCRIBE to __proto__', packet(0x82, id, field('__proto__'), qos(1), field('a'), qos(1))],
  ['an UNSUBSCRIBE from toString', packet(0xa2, id, field('toString'))],
  ['an UNSUBSCRIBE without filters', packet(0xa2, id)],
  ['a second CONNECT', hello(true)],
  ['a packet of a type that a server sends', packet(0x20, Buffer.from([0, 0]))],
])('%s ends that connection, not the cloud', async (_name, bytes) => {
  await send(hello(false), bytes);
  await send(bytes, hello(false));
  // A session that kept something malformed would fail here.
  await send(hello(false));
  await expectAlive();
});

test('no bytes of a device end the cloud', async () => {
  const piece = fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
    fc.constantFrom(
      hello(true),
      hello(false),
      packet(0xc0, Buffer.alloc(0)),
      packet(0x82, id, field('a'), qos(1)),
    ),
    fc
      .tuple(fc.integer({ min: 0, max: 255 }), fc.uint8Array({ maxLength: 30 }))
      .map(([type, rest]) => packet(type, Buffer.from(rest))),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { minLength: 1, maxLength: 6 }), async (pieces) => {
      await send(...pieces);
    }),
    { numRuns: 40 },
  );
  await expectAlive();
});
