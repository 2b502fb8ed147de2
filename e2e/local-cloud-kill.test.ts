/** The local cloud under `kill -9`: it loses nothing that it acknowledged, over HTTPS or over MQTT, nor what rules make of it. */

import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  AttachPolicyCommand,
  CreatePolicyCommand,
  CreateTopicRuleCommand,
  DescribeThingCommand,
  type IoTClient,
  ListPrincipalThingsCommand,
} from '@aws-sdk/client-iot';
import {
  GetRetainedMessageCommand,
  GetThingShadowCommand,
  type IoTDataPlaneClient,
  PublishCommand,
  UpdateThingShadowCommand,
} from '@aws-sdk/client-iot-data-plane';
import { AddPermissionCommand, CreateFunctionCommand, type LambdaClient } from '@aws-sdk/client-lambda';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { zipSync } from 'fflate';
import type { MqttClient } from 'mqtt';
import { until } from './beam.ts';
import {
  childrenOf,
  clients,
  connect,
  type Device,
  end,
  endAll,
  gone,
  register,
  start,
} from './cloud-process.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'beam-local-cloud-'));
});
afterEach(async () => {
  await endAll();
  rmSync(folder, { recursive: true, force: true });
});

/** What was acknowledged so far. */
interface Acknowledged {
  /** Of the shadows `mqtt` and `https`: the last version, and the number that it reported. */
  shadows: Map<string, { version: number; n: number }>;
  retained: number;
  things: Device[];
  /** Messages to a client whose session persists, and which is away; a rule takes the even ones to a function, too. */
  queued: number[];
  /** Numbers of the shadow `status`, whose documents a rule takes to the function. */
  documents: number[];
}

/** What is written in a round counts from here. */
const base = 1_000_000;
const queuedMax = 800;
const documentsARound = 90;
const pause = () => new Promise((resolve) => setTimeout(resolve, 20));
const thingName = 'demo_a';
const awayTopic = 'away/note';
const keptTopic = `beam/demo/${thingName}/event/kept`;
const text = (payload: Uint8Array | undefined) => Buffer.from(payload ?? []).toString();

async function readShadow(data: IoTDataPlaneClient, shadowName: string) {
  const { payload } = await data.send(new GetThingShadowCommand({ thingName, shadowName }));
  return JSON.parse(text(payload)) as { version: number; state: { reported: { n: number } } };
}

/** Every act that works until the cloud is gone. Each notes what it was told. */
function acts(
  iot: IoTClient,
  data: IoTDataPlaneClient,
  client: MqttClient,
  told: Acknowledged,
  round: number,
) {
  const prefix = `$aws/things/${thingName}/shadow/name/role/update`;
  const answers = new Map<number, (version: number) => void>();
  client.on('message', (_topic, payload) => {
    const { version, state } = JSON.parse(payload.toString()) as {
      version: number;
      state: { reported: { n: number } };
    };
    answers.get(state.reported.n)?.(version);
  });
  return [
    async (i: number) => {
      const n = round * base + i;
      const answer = new Promise<number>((resolve) => answers.set(n, resolve));
      await client.publishAsync(prefix, JSON.stringify({ state: { reported: { n } } }), { qos: 1 });
      told.shadows.set('role', { version: await answer, n });
    },
    async (i: number) => {
      // What the function does must not fall behind by more than its queue holds.
      if (told.documents.length >= documentsARound * round) return pause();
      const payload = JSON.stringify({ state: { reported: { n: round * base + i } } });
      const answer = await data.send(
        new UpdateThingShadowCommand({ thingName, shadowName: 'status', payload }),
      );
      const { version } = JSON.parse(text(answer.payload)) as { version: number };
      told.shadows.set('status', { version, n: round * base + i });
      told.documents.push(round * base + i);
    },
    async (i: number) => {
      const payload = Buffer.from(String(round * base + i));
      await data.send(new PublishCommand({ topic: keptTopic, payload, qos: 1, retain: true }));
      told.retained = round * base + i;
    },
    async (i: number) => {
      const n = round * base + i;
      // Past what a session's queue holds, newer messages are dropped.
      if (told.queued.length >= queuedMax) return pause();
      await data.send(
        new PublishCommand({ topic: awayTopic, payload: Buffer.from(JSON.stringify({ n })), qos: 1 }),
      );
      told.queued.push(n);
    },
    async (i: number) => {
      told.things.push(await register(iot, `r${round}-${i}`));
    },
  ];
}

async function expectAll(iot: IoTClient, data: IoTDataPlaneClient, told: Acknowledged): Promise<void> {
  for (const [shadowName, { version, n }] of told.shadows) {
    const shadow = await readShadow(data, shadowName);
    // One more may have been written whose answer did not get out.
    expect(shadow.version).toBeGreaterThanOrEqual(version);
    if (shadow.version === version) expect(shadow.state.reported.n).toBe(n);
  }
  const kept = await data.send(new GetRetainedMessageCommand({ topic: keptTopic }));
  expect(Number(text(kept.payload))).toBeGreaterThanOrEqual(told.retained);
  for (const { thing, certificateArn } of told.things) {
    expect((await iot.send(new DescribeThingCommand({ thingName: thing }))).attributes).toMatchObject({
      fleet: 'demo',
    });
    const { things } = await iot.send(new ListPrincipalThingsCommand({ principal: certificateArn }));
    expect(things).toEqual([thing]);
  }
}

/**
 * A function that writes what it is called with into a file, and rules that lead to it. Until there is a file `gate` it comes to no end: each
 * kill finds all events in their first try.
 */
async function makeRules(iot: IoTClient, lambda: LambdaClient, file: string, gate: string): Promise<void> {
  const code = `const { appendFileSync, existsSync } = require('node:fs');
exports.handler = async ({ n }) => {
  while (!existsSync(${JSON.stringify(gate)})) await new Promise((resolve) => setTimeout(resolve, 20));
  appendFileSync(${JSON.stringify(file)}, n + '\\n');
};`;
  const { FunctionArn: functionArn } = await lambda.send(
    new CreateFunctionCommand({
      FunctionName: 'note',
      Runtime: 'nodejs20.x',
      Role: 'arn:aws:iam::000000000000:role/any',
      Handler: 'index.handler',
      Timeout: 60,
      Code: { ZipFile: zipSync({ 'index.js': Buffer.from(code) }) },
    }),
  );
  await lambda.send(
    new AddPermissionCommand({
      FunctionName: 'note',
      StatementId: 'iot',
      Action: 'lambda:InvokeFunction',
      Principal: 'iot.amazonaws.com',
    }),
  );
  const documents = `$aws/things/${thingName}/shadow/name/status/update/documents`;
  const statements = {
    away: `SELECT n FROM '${awayTopic}' WHERE mod(n, 2) = 0`,
    documents: `SELECT current.state.reported.n AS n FROM '${documents}'`,
  };
  for (const [ruleName, sql] of Object.entries(statements)) {
    const topicRulePayload = { sql, awsIotSqlVersion: '2016-03-23', actions: [{ lambda: { functionArn } }] };
    await iot.send(new CreateTopicRuleCommand({ ruleName, topicRulePayload }));
  }
}

test('kill -9 at any moment loses nothing that was acknowledged', async () => {
  const rounds = 4;
  const told: Acknowledged = { shadows: new Map(), retained: 0, things: [], queued: [], documents: [] };
  const [notes, gate] = [join(folder, 'notes'), join(folder, 'gate')];
  let device: Device | undefined;
  let away: Device | undefined;
  for (let round = 1; round <= rounds; round++) {
    const { child, ready } = await start(folder);
    const { iot, data, lambda } = clients(ready);
    if (device) await expectAll(iot, data, told);
    device ??= await register(iot, 'a');
    if (!away) {
      away = await register(iot, 'away');
      const statement = { Effect: 'Allow', Action: 'iot:*', Resource: '*' };
      const policyDocument = JSON.stringify({ Version: '2012-10-17', Statement: [statement] });
      await iot.send(new CreatePolicyCommand({ policyName: 'all', policyDocument }));
      await iot.send(new AttachPolicyCommand({ policyName: 'all', target: away.certificateArn }));
      const session = await connect(ready, away, { clean: false });
      await session.subscribeAsync(awayTopic, { qos: 1 });
      await session.endAsync();
      await makeRules(iot, lambda, notes, gate);
    }
    const client = await connect(ready, device);
    await client.subscribeAsync(`$aws/things/${thingName}/shadow/name/role/update/accepted`);

    let isGone = false;
    const dead = once(child, 'exit').then(() => {
      isGone = true;
      throw new Error('the cloud is gone');
    });
    dead.catch(() => undefined);
    const work = acts(iot, data, client, told, round).map(async (act) => {
      for (let i = 1; !isGone; i++) await Promise.race([act(i), dead]).catch(() => undefined);
    });
    const enough = 10 * round;
    const isUnderWay = () =>
      told.shadows.size === 2 && told.retained > round * base && told.things.length > 0;
    while (!isGone && !((told.shadows.get('role')?.n ?? 0) > round * base + enough && isUnderWay()))
      await pause();
    const host = childrenOf(child.pid);
    expect(host.length).toBeGreaterThan(0);
    await end(child, 'SIGKILL');
    await Promise.all(work);
    await client.endAsync(true);
    iot.destroy();
    data.destroy();
    lambda.destroy();
    expect(await gone(host)).toBe(true);
  }
  const { ready } = await start(folder);
  const { iot, data } = clients(ready);
  await expectAll(iot, data, told);
  if (!away) throw new Error('nobody was away');
  const back = await connect(ready, away, { clean: false, manualConnect: true });
  const heard = new Set<number>();
  back.on('message', (_topic, payload) => heard.add((JSON.parse(payload.toString()) as { n: number }).n));
  back.connect();
  await new Promise((resolve) => back.once('connect', resolve));
  expect(told.queued.length).toBeGreaterThan(0);
  while (told.queued.some((n) => !heard.has(n)) && back.connected) await pause();
  expect(told.queued.filter((n) => !heard.has(n))).toEqual([]);
  await back.endAsync(true);
  const acted = () =>
    new Set(existsSync(notes) ? readFileSync(notes, 'utf8').trim().split('\n').map(Number) : []);
  const missing = () => {
    const done = acted();
    return [...told.queued.filter((n) => n % 2 === 0), ...told.documents].filter((n) => !done.has(n));
  };
  expect(told.documents.length).toBeGreaterThan(0);
  writeFileSync(gate, '');
  await until('the function was called with every event', () => (missing().length === 0 ? true : undefined));
  iot.destroy();
  data.destroy();
});
