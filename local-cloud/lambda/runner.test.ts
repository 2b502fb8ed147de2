import { webcrypto } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import 'reflect-metadata';
import {
  BasicConstraintsExtension,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from '@peculiar/x509';
import { build } from 'esbuild';
import type { LambdaEventRecord } from './records.ts';
import {
  createLambdaRunner,
  type DeadLetter,
  FunctionError,
  type LambdaRunner,
  type RunnableFunction,
  UnknownFunctionError,
} from './runner.ts';

let dir: string;
let runner: LambdaRunner;
let endpoint: Server;
const asked: { target: string; path: string; authorization: string }[] = [];
const logged: { message: string; details: Record<string, unknown> }[] = [];
const log = {
  warn: (details: object, message: string) => logged.push({ message, details: { ...details } }),
  error: (details: object, message: string) => logged.push({ message, details: { ...details } }),
};

const hosted = (name: string, more: Partial<RunnableFunction> = {}): RunnableFunction => ({
  name,
  handler: 'index.handler',
  codeDir: join(dir, 'code', name),
  timeoutSeconds: 1,
  memoryMb: 128,
  concurrency: 1,
  environment: {},
  retriesMax: 2,
  eventAgeSecondsMax: 21_600,
  ...more,
});
/** What is on disk in a cloud. */
const shelved = new Map<string, LambdaEventRecord>();
const deadLetters: { arn: string; letter: DeadLetter }[] = [];
const queueArn = 'arn:aws:sqs:local:000000000000:dead';

/** What the functions do, by the event's `do`. */
const plainSource = `
  let calls = 0;
  const seen = [];
  exports.handler = async (event, context) => {
    calls++;
    if (event.do === 'echo') return { event, requestId: context.awsRequestId, remaining: context.getRemainingTimeInMillis() };
    if (event.do === 'calls') return calls;
    if (event.do === 'environment') return process.env;
    if (event.do === 'log') { console.log('seen', { n: event.n }); console.error('bad'); process.stdout.write('raw\\n'); return 'ok'; }
    if (event.do === 'spin') for (;;);
    if (event.do === 'exit') process.exit(3);
    if (event.do === 'throw') throw new RangeError('no ' + event.n);
    if (event.do === 'nothing') return;
    if (event.do === 'seen') return seen;
    if (event.do === 'failFirst') { seen.push(context.awsRequestId); if (seen.length < 3) throw new Error('not yet'); return; }
    if (event.do === 'pid') return process.pid;
    if (event.do === 'wait') { const start = Date.now(); await new Promise((r) => setTimeout(r, 50)); return [start, Date.now()]; }
  };
`;
const awsSource = `
  import { DynamoDBClient, ListTablesCommand } from '@aws-sdk/client-dynamodb';
  import { IoTClient, ListThingsCommand } from '@aws-sdk/client-iot';
  import { IoTDataPlaneClient, PublishCommand } from '@aws-sdk/client-iot-data-plane';
  const dynamo = new DynamoDBClient({}), iot = new IoTClient({}), data = new IoTDataPlaneClient({});
  export const handler = async () => {
    await dynamo.send(new ListTablesCommand({}));
    await iot.send(new ListThingsCommand({}));
    await data.send(new PublishCommand({ topic: 'a/b', payload: new Uint8Array([1]) }));
  };
`;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'beam-lambda-'));
  const { cert, key } = await selfSigned();
  endpoint = createServer({ cert, key }, (req, res) => {
    const { 'x-amz-target': target = '', authorization = '' } = req.headers;
    asked.push({ target: String(target), path: req.url ?? '', authorization });
    req.resume();
    res.setHeader('content-type', 'application/x-amz-json-1.0');
    res.end('{}');
  }).listen(0, 'localhost');
  await once(endpoint, 'listening');
  const url = `https://localhost:${(endpoint.address() as AddressInfo).port}`;

  for (const name of ['plain', 'wide', 'broken', 'aws'])
    mkdirSync(join(dir, 'code', name), { recursive: true });
  for (const name of ['plain', 'wide']) writeFileSync(join(dir, 'code', name, 'index.cjs'), plainSource);
  writeFileSync(join(dir, 'code/broken/index.cjs'), "throw new Error('no such table');");
  const options = { bundle: true, platform: 'node', logLevel: 'error' } as const;
  await build({
    ...options,
    stdin: { contents: awsSource, resolveDir: import.meta.dirname },
    format: 'cjs',
    outfile: join(dir, 'code/aws/index.cjs'),
    mainFields: ['module', 'main'],
  });
  await build({
    ...options,
    entryPoints: [join(import.meta.dirname, 'host-main.ts')],
    format: 'esm',
    outfile: join(dir, 'lambda-host.js'),
  });
  writeFileSync(join(dir, 'package.json'), '{"type":"module"}');
  writeFileSync(join(dir, 'ca.pem'), cert);
  runner = createLambdaRunner({
    functions: [
      hosted('plain', { environment: { COLOUR: 'green' } }),
      hosted('wide', { concurrency: 3, deadLetterArn: queueArn, retriesMax: 1 }),
      hosted('aws', { timeoutSeconds: 10 }),
      hosted('broken'),
    ],
    shelf: {
      put: async (record) => void shelved.set(record.requestId, record),
      remove: async (requestId) => void shelved.delete(requestId),
      all: () => [...shelved.values()],
    },
    deadLetter: async (arn, letter) => void deadLetters.push({ arn, letter }),
    environment: {
      AWS_REGION: 'local',
      AWS_ACCESS_KEY_ID: 'AKIALOCAL',
      AWS_SECRET_ACCESS_KEY: 'secret',
      AWS_ENDPOINT_URL_DYNAMODB: url,
      AWS_ENDPOINT_URL_IOT: url,
      AWS_ENDPOINT_URL_IOT_DATA_PLANE: url,
    },
    caFile: join(dir, 'ca.pem'),
    logDir: join(dir, 'logs'),
    hostPath: join(dir, 'lambda-host.js'),
    log,
    retryDelaysMs: [10, 20],
  });
  await runner.start();
});

afterAll(async () => {
  await runner.stop();
  endpoint.closeAllConnections();
  endpoint.close();
  rmSync(dir, { recursive: true });
});

async function selfSigned(): Promise<{ cert: string; key: string }> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: 'CN=localhost',
    keys,
    signingAlgorithm: algorithm,
    extensions: [
      new BasicConstraintsExtension(true),
      new SubjectAlternativeNameExtension([{ type: 'dns', value: 'localhost' }]),
    ],
  });
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
  return {
    cert: certificate.toString('pem'),
    key: `-----BEGIN PRIVATE KEY-----\n${pkcs8}\n-----END PRIVATE KEY-----\n`,
  };
}

async function eventually(check: () => boolean | Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < 500; attempt++) {
    if (await check()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error('it did not happen in 5 s');
}
const functionLog = (name: string) => readFileSync(join(dir, 'logs', `${name}.log`), 'utf8');

test('a function gets its event and a context, and stays warm', async () => {
  const answer = await runner.invoke('plain', { do: 'echo', deep: { a: [1] } });
  expect(answer).toEqual({
    event: { do: 'echo', deep: { a: [1] } },
    requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
    remaining: expect.any(Number),
  });
  expect((answer as { remaining: number }).remaining).toBeGreaterThan(500);
  const calls = Number(await runner.invoke('plain', { do: 'calls' }));
  expect(await runner.invoke('plain', { do: 'calls' })).toBe(calls + 1);
  expect(await runner.invoke('plain', { do: 'nothing' })).toBeNull();
});

test("a function sees Lambda's environment and its own, and nothing of this machine's", async () => {
  process.env.AWS_PROFILE = 'of this machine';
  const environment = await runner.invoke('plain', { do: 'environment' });
  delete process.env.AWS_PROFILE;
  expect(environment).toMatchObject({
    AWS_REGION: 'local',
    AWS_LAMBDA_FUNCTION_NAME: 'plain',
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '128',
    AWS_LAMBDA_LOG_GROUP_NAME: '/aws/lambda/plain',
    COLOUR: 'green',
  });
  expect(environment).not.toHaveProperty('AWS_PROFILE');
  expect(environment).not.toHaveProperty('HOME');
});

test("AWS's own clients in a bundle go to the local endpoints, signed", async () => {
  await runner.invoke('aws', {});
  expect(asked.map(({ target, path }) => target || path.replace(/\?.*/, ''))).toEqual([
    'DynamoDB_20120810.ListTables',
    '/things',
    '/topics/a%2Fb',
  ]);
  for (const { authorization } of asked) {
    expect(authorization).toMatch(
      /^AWS4-HMAC-SHA256 Credential=AKIALOCAL\/\d{8}\/local\/(dynamodb|iot|iotdata)\//,
    );
  }
});

test("output goes to the function's log, line by line with its request id", async () => {
  await runner.invoke('plain', { do: 'log', n: 7 });
  const text = functionLog('plain');
  const [requestId] = text.match(/[0-9a-f-]{36}(?=\tINFO)/) ?? [];
  expect(text).toMatch(
    new RegExp(`START RequestId: ${requestId} Version: \\$LATEST\n.*Z\t${requestId}\tINFO\tseen { n: 7 }\n`),
  );
  expect(text).toMatch(
    new RegExp(
      `\t${requestId}\tERROR\tbad\nraw\nEND RequestId: ${requestId}\nREPORT RequestId: ${requestId}\tDuration: `,
    ),
  );
});

test('one invocation at a time, in order; more where the manifest allows more', async () => {
  const overlaps = async (name: string) => {
    const spans = await Promise.all([1, 2, 3, 4, 5].map(() => runner.invoke(name, { do: 'wait' })));
    const starts = (spans as [number, number][]).map(([start]) => start);
    return (spans as [number, number][]).filter(([, end], index) => end > (starts[index + 1] ?? Infinity))
      .length;
  };
  expect(await overlaps('plain')).toBe(0);
  expect(await overlaps('wide')).toBeGreaterThan(0);
});

test('a function that throws, spins or ends fails its own invocation, and the next one works', async () => {
  await expect(runner.invoke('plain', { do: 'throw', n: 5 })).rejects.toMatchObject({
    failure: { errorType: 'RangeError', errorMessage: 'no 5' },
  });
  await expect(runner.invoke('plain', { do: 'spin' })).rejects.toMatchObject({
    failure: {
      errorType: 'Sandbox.Timedout',
      errorMessage: expect.stringMatching(
        /^RequestId: [-0-9a-f]{36} Error: Task timed out after 1\.00 seconds$/,
      ),
    },
  });
  expect(functionLog('plain')).toMatch(/Task timed out after 1\.00 seconds/);
  await expect(runner.invoke('plain', { do: 'exit' })).rejects.toMatchObject({
    failure: {
      errorType: 'Runtime.ExitError',
      errorMessage: expect.stringMatching(/^RequestId: [-0-9a-f]{36} Error: Runtime exited with(out)? /),
    },
  });
  expect(await runner.invoke('plain', { do: 'calls' })).toBe(1);
});

test('a bundle that does not load says so at each invocation', async () => {
  for (let attempt = 0; attempt < 2; attempt++) {
    await expect(runner.invoke('broken', {})).rejects.toMatchObject({
      failure: { errorType: 'Error', errorMessage: 'no such table' },
    });
  }
});

test('an asynchronous invocation is tried three times with one request id', async () => {
  const { requestId } = await runner.invokeAsync('plain', { do: 'failFirst' });
  await eventually(async () => ((await runner.invoke('plain', { do: 'seen' })) as string[]).length === 3);
  expect(await runner.invoke('plain', { do: 'seen' })).toEqual([requestId, requestId, requestId]);
});

test('after the third failure the event is dropped, and that is logged', async () => {
  const { requestId } = await runner.invokeAsync('plain', { do: 'throw', n: 9 });
  await eventually(() => logged.some(({ message }) => message.includes('for the last time')));
  expect(
    logged.filter(({ details }) => details.requestId === requestId).map(({ details }) => details.attempt),
  ).toEqual([1, 2, 3]);
});

test('what can not be queued is refused', async () => {
  await expect(runner.invokeAsync('nobody', {})).rejects.toThrow(UnknownFunctionError);
  await expect(runner.invoke('nobody', {})).rejects.toThrow(UnknownFunctionError);
  await expect(runner.invokeAsync('plain', { text: 'x'.repeat(1_048_576) })).rejects.toThrow(
    /Lambda takes 1048576 at most/,
  );
});

test('a host that is killed is started again; what it had in hand is tried again, but a waiting caller is told', async () => {
  const pid = Number(await runner.invoke('wide', { do: 'pid' }));
  const waiting = runner.invoke('plain', { do: 'spin' });
  await runner.invokeAsync('wide', { do: 'wait' });
  process.kill(pid, 'SIGKILL');
  await expect(waiting).rejects.toThrow(FunctionError);
  await expect(waiting).rejects.toMatchObject({ failure: { errorType: 'Sandbox.Crashed' } });
  expect(await runner.invoke('plain', { do: 'calls' })).toBe(1);
  await eventually(async () => Number(await runner.invoke('wide', { do: 'calls' })) >= 2);
  expect(await runner.invoke('wide', { do: 'pid' })).not.toBe(pid);
});

test('a warm invocation takes a few milliseconds', async () => {
  const times: number[] = [];
  for (let count = 0; count < 100; count++) {
    const started = performance.now();
    await runner.invoke('plain', { do: 'calls' });
    times.push(performance.now() - started);
  }
  expect(times.sort((a, b) => a - b)[50]).toBeLessThan(20);
});

test('an event is on the shelf from its acceptance until it is done, or a dead letter', async () => {
  const { requestId } = await runner.invokeAsync('plain', { do: 'wait' });
  expect(shelved.get(requestId)).toMatchObject({ functionName: 'plain', attempts: 0 });
  await eventually(() => !shelved.has(requestId));
  const failing = await runner.invokeAsync('wide', { do: 'throw', n: 1 });
  expect(shelved.get(failing.requestId)).toMatchObject({ functionName: 'wide', attempts: 0 });
  await eventually(() => shelved.get(failing.requestId)?.attempts === 1);
  await eventually(() => deadLetters.length > 0);
  await eventually(() => shelved.size === 0);
});

test('an event that failed for the last time becomes a dead letter', () => {
  expect(deadLetters).toEqual([
    {
      arn: queueArn,
      letter: {
        functionName: 'wide',
        requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
        event: { do: 'throw', n: 1 },
        errorMessage: 'no 1',
      },
    },
  ]);
});

test('a function is replaced while it runs: what runs ends, the next one is the new', async () => {
  const slow = runner.invoke('wide', { do: 'wait' });
  await new Promise((resolve) => setTimeout(resolve, 20));
  mkdirSync(join(dir, 'code/wide-2'));
  writeFileSync(join(dir, 'code/wide-2/main.mjs'), "export const run = async () => 'new';");
  runner.put(hosted('wide', { handler: 'main.run', codeDir: join(dir, 'code/wide-2') }));
  expect(await runner.invoke('wide', {})).toBe('new');
  expect(await slow).toHaveLength(2);
  runner.remove('wide');
  await expect(runner.invoke('wide', {})).rejects.toThrow(UnknownFunctionError);
});

test('a start goes on with what an earlier run left', async () => {
  const { requestId } = { requestId: '00000000-0000-4000-8000-00000000000a' };
  const left = {
    functionName: 'plain',
    requestId,
    event: { do: 'nothing' },
    attempts: 1,
    acceptedAtMs: Date.now(),
    dueAtMs: 0,
  };
  const kept = new Map([[requestId, left]]);
  const second = createLambdaRunner({
    functions: [hosted('plain')],
    environment: {},
    caFile: join(dir, 'ca.pem'),
    logDir: join(dir, 'logs-2'),
    hostPath: join(dir, 'lambda-host.js'),
    shelf: { put: async () => {}, remove: async (id) => void kept.delete(id), all: () => [...kept.values()] },
    deadLetter: async () => {},
    log,
  });
  await second.start();
  await eventually(() => kept.size === 0);
  await second.stop();
  expect(readFileSync(join(dir, 'logs-2/plain.log'), 'utf8')).toMatch(`START RequestId: ${requestId}`);
});
