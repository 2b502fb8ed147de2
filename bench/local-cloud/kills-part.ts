/** Mixed load with `kill -9` again and again: what was acknowledged is there after each start, and no version went back. */

import { setTimeout as delay } from 'node:timers/promises';
import { type CloudProcess, type Device, endProcess, Registrar, startCloud } from './cloud.ts';
import { connectDevice } from './mqtt-part.ts';
import { placeOf } from './place.ts';
import { type Place, RawConnection, signedRequest } from './raw-http.ts';

const shadowsByHttps = 20;
const shadowsByMqtt = 10;
const counters = 5;

export interface KillsResult {
  minutes: number;
  kills: number;
  acknowledged: number;
  /** In words: which, what was acknowledged, what was found. */
  lost: string[];
  startMs: { median: number; max: number };
}

/** The last of each that was acknowledged: a shadow's version, a counter's value. */
type Acknowledged = Map<string, number>;

interface Load {
  isOver: boolean;
  acknowledged: Acknowledged;
  count: number;
}

const shadowPath = (name: string) => `/things/${name}/shadow?name=status`;

async function shadowsOverHttps(place: Place, name: string, load: Load): Promise<void> {
  const connection = await RawConnection.open(place);
  for (let n = 1; !load.isOver; n++) {
    const body = JSON.stringify({ state: { reported: { n } } });
    const answer = await connection.send(signedRequest(place, 'iotdata', 'POST', shadowPath(name), body));
    if (answer.status !== 200) throw new Error(`${name}: ${answer.status} ${answer.body}`);
    load.acknowledged.set(name, (JSON.parse(answer.body) as { version: number }).version);
    load.count++;
  }
  connection.close();
}

async function shadowsOverMqtt({ ready }: CloudProcess, device: Device, load: Load): Promise<void> {
  const client = await connectDevice(ready, device);
  const topic = `$aws/things/${device.id}/shadow/name/status/update`;
  let n = 0;
  const send = () => {
    if (!load.isOver) client.publish(topic, JSON.stringify({ state: { reported: { n: ++n } } }), { qos: 1 });
  };
  client.on('message', (_topic, payload) => {
    load.acknowledged.set(device.id, (JSON.parse(payload.toString()) as { version: number }).version);
    load.count++;
    send();
  });
  await client.subscribeAsync(`${topic}/accepted`, { qos: 1 });
  send();
  await new Promise<void>((resolve) => client.once('close', () => resolve()));
}

function dynamoRequest(place: Place, operation: string, body: object): Buffer {
  const text = JSON.stringify(body);
  // The target is no part of what is signed: the headers of a DynamoDB client are.
  const signed = signedRequest(place, 'dynamodb', 'POST', '/', text).toString('latin1');
  return Buffer.from(
    signed.replace('\r\n', `\r\nx-amz-target: DynamoDB_20120810.${operation}\r\n`),
    'latin1',
  );
}

const counterKey = (name: string) => ({ fleet: { S: 'bench' }, item: { S: name } });

async function count(place: Place, name: string, load: Load): Promise<void> {
  const connection = await RawConnection.open(place);
  while (!load.isOver) {
    const answer = await connection.send(
      dynamoRequest(place, 'UpdateItem', {
        TableName: 'beam-fleet',
        Key: counterKey(name),
        UpdateExpression: 'ADD n :one',
        ExpressionAttributeValues: { ':one': { N: '1' } },
        ReturnValues: 'ALL_NEW',
      }),
    );
    if (answer.status !== 200) throw new Error(`${name}: ${answer.status} ${answer.body}`);
    load.acknowledged.set(
      name,
      Number((JSON.parse(answer.body) as { Attributes: { n: { N: string } } }).Attributes.n.N),
    );
    load.count++;
  }
  connection.close();
}

/** One request of each may have been written whose answer did not get out; of MQTT, one too. */
async function verify(place: Place, acknowledged: Acknowledged, lost: string[]): Promise<void> {
  const connection = await RawConnection.open(place);
  for (const [name, told] of acknowledged) {
    const isCounter = name.startsWith('counter-');
    const request = isCounter
      ? dynamoRequest(place, 'GetItem', {
          TableName: 'beam-fleet',
          Key: counterKey(name),
          ConsistentRead: true,
        })
      : signedRequest(place, 'iotdata', 'GET', shadowPath(name), '');
    const { status, body } = await connection.send(request);
    const found = isCounter
      ? Number((JSON.parse(body) as { Item?: { n: { N: string } } }).Item?.n.N ?? 0)
      : status === 200
        ? (JSON.parse(body) as { version: number }).version
        : 0;
    if (found < told || found > told + 1) lost.push(`${name}: acknowledged ${told}, found ${found}`);
    acknowledged.set(name, found);
  }
  connection.close();
}

export async function measureKills(
  folder: string,
  { minutes, killEverySeconds }: { minutes: number; killEverySeconds: number },
  say: (line: string) => void,
): Promise<KillsResult> {
  const acknowledged: Acknowledged = new Map();
  const lost: string[] = [];
  const starts: number[] = [];
  let devices: Device[] = [];
  let total = 0;
  let kills = 0;
  const end = performance.now() + minutes * 60_000;
  let cloud = await startCloud(folder);
  try {
    for (;;) {
      const place = placeOf(cloud.ready);
      await verify(place, acknowledged, lost);
      if (performance.now() >= end) break;
      if (devices.length === 0) {
        const registrar = new Registrar(cloud.ready);
        await registrar.allowAll();
        devices = await registrar.devices(
          Array.from({ length: shadowsByMqtt }, (_, index) => `mqtt-${index}`),
        );
        registrar.close();
      }
      const load: Load = { isOver: false, acknowledged, count: 0 };
      const running = cloud;
      const work = [
        ...Array.from({ length: shadowsByHttps }, (_, index) =>
          shadowsOverHttps(place, `https-${index}`, load),
        ),
        ...devices.map((device) => shadowsOverMqtt(running, device, load)),
        ...Array.from({ length: counters }, (_, index) => count(place, `counter-${index}`, load)),
      ].map((each) => each.catch((error: unknown) => (load.isOver ? undefined : Promise.reject(error))));
      await Promise.race([delay(killEverySeconds * 1000), Promise.all(work)]);
      load.isOver = true;
      await endProcess(cloud.child, 'SIGKILL');
      await Promise.all(work);
      kills++;
      total += load.count;
      cloud = await startCloud(folder);
      starts.push(cloud.startMs);
      say(
        `kill ${kills}: ${load.count} acknowledged, ${lost.length} lost so far, started again in ${Math.round(cloud.startMs)} ms`,
      );
    }
  } finally {
    await endProcess(cloud.child);
  }
  starts.sort((a, b) => a - b);
  return {
    minutes,
    kills,
    acknowledged: total,
    lost,
    startMs: {
      median: Math.round(starts[Math.floor(starts.length / 2)] ?? 0),
      max: Math.round(starts.at(-1) ?? 0),
    },
  };
}
