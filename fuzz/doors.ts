/** Doors of a whole local cloud, in this process, over its real sockets and disk: HTTPS, MQTT's `$aws/…`, certificate requests. */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { Agent, request as httpsRequest } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import aws4 from 'aws4';
import fc from 'fast-check';
import pino from 'pino';
import { issueFromCsr, makeAuthority } from '../certs-scripts/ca.ts';
import { createCsr } from '../certs-scripts/csr.ts';
import { makeDeviceKey } from '../certs-scripts/device-key.ts';
import { type Core, openCore, type Ready } from '../local-cloud/core.ts';
import { type Dynamo, openDynamo } from '../local-cloud/dynamodb/server.ts';
import operations from '../local-cloud/https/operations.json' with { type: 'json' };
import { openFolder } from '../local-cloud/store/folder.ts';
import { bytes, damaged, json, name } from './inputs.ts';
import { checkPrototypes, inputMsMax, type RunningTarget, type Target, Unexpected } from './target.ts';

const together = 16;

interface Running {
  core: Core;
  dynamo: Dynamo;
  access: Omit<Ready, 'ready' | 'mqtt'>;
  /** What the cloud itself took for a fault of its own. */
  faults: string[];
  stop(): Promise<void>;
}

async function startCore(): Promise<Running> {
  const dataDir = mkdtempSync(join(tmpdir(), 'beam-fuzz-'));
  const faults: string[] = [];
  const log = pino(
    { level: 'error' },
    { write: (line: string) => void (faults.length < 10 && faults.push(line)) },
  );
  const disk = await openFolder(dataDir);
  const dynamo = await openDynamo(disk, { tables: [{ name: 'fuzz', partitionKey: 'key' }], log });
  const core = await openCore({ dataDir, disk, mqttPort: 0, httpsPort: 0, log }, () => ({
    load: () => undefined,
    remove: () => undefined,
  }));
  const access = await core.listenHttps((request, response, body) => dynamo.handle(request, response, body));
  return {
    core,
    dynamo,
    access,
    faults,
    async stop() {
      await core.close();
      await disk.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

function checkFaults({ faults }: Running): void {
  if (faults.length > 0) throw new Unexpected(`the cloud took it for a fault of its own: ${faults[0]}`);
  checkPrototypes();
}

/** Many inputs at once, as they share the disk's syncs. */
function door<T>(
  targetName: string,
  input: fc.Arbitrary<T>,
  act: (running: Running, input: T) => Promise<void>,
): Target {
  return {
    name: targetName,
    async start(): Promise<RunningTarget> {
      const running = await startCore();
      const one = async (each: T) => {
        const since = performance.now();
        await act(running, each);
        const ms = performance.now() - since;
        if (ms > inputMsMax * together) throw new Unexpected(`took ${Math.round(ms)} ms`);
      };
      const property = fc.asyncProperty(
        fc.array(input, { minLength: together, maxLength: together }),
        async (inputs) => {
          await Promise.all(inputs.map(one));
          checkFaults(running);
        },
      );
      return {
        property: property as fc.IAsyncProperty<[unknown]>,
        inputsPerRun: together,
        stop: () => running.stop(),
      };
    },
  };
}

const routes = Object.values({ ...operations.iot, ...operations.iotData }).map((route) => {
  const [method = '', path = ''] = route.split(' ');
  return { method, path };
});
/** A name in the path, as a client encodes it or as none does. */
const pathPart = fc.oneof(
  name.map((text) => encodeURIComponent(Buffer.from(text).toString())),
  fc.constantFrom('..', '.', '%2e%2e', '%', '%zz', '%ff', 'a', '__proto__', 'x'.repeat(5000)),
);
const query = fc.oneof(
  fc.constantFrom(
    '',
    '',
    '?name=s',
    '?name=..%2f',
    '?pageSize=1e9',
    '?nextToken=%ff',
    '?maxResults=-1',
    '?a&a=1&__proto__=1',
    '?name=%E2%80%A8',
  ),
  fc.string({ unit: 'grapheme-ascii', maxLength: 10 }).map((text) => `?${encodeURIComponent(text)}=1`),
);
const iotRequest = fc
  .tuple(
    fc.constantFrom(...routes),
    fc.array(pathPart, { minLength: 3, maxLength: 3 }),
    query,
    bytes(fc.oneof(json, damaged(json))),
  )
  .map(([{ method, path }, parts, search, body]) => {
    let at = 0;
    return {
      method,
      path: path.replace(/\{\w+\+?\}/g, () => parts[at++ % parts.length] ?? 'a') + search,
      body,
      target: undefined as string | undefined,
    };
  });
const dynamoRequest = fc
  .tuple(
    fc.constantFrom(
      'GetItem',
      'PutItem',
      'UpdateItem',
      'Query',
      'Scan',
      'BatchWriteItem',
      'BatchGetItem',
      'DeleteItem',
      'CreateTable',
      'Nothing',
      '__proto__',
    ),
    bytes(
      fc.oneof(
        json,
        fc
          .tuple(json, json, json)
          .map(
            ([key, expression, values]) =>
              `{"TableName":"fuzz","Key":{"key":${key}},"UpdateExpression":${expression},"ExpressionAttributeValues":{":v":${values}}}`,
          ),
        damaged(
          fc.constant(
            '{"TableName":"fuzz","Key":{"key":{"S":"a"}},"UpdateExpression":"SET n = if_not_exists(n, :v) + :v REMOVE b[1].c","ConditionExpression":"(a BETWEEN :v AND :v) OR contains(b, :v)","ExpressionAttributeValues":{":v":{"N":"1"}}}',
          ),
        ),
        fc
          .tuple(json, json)
          .map(
            ([item, other]) =>
              `{"TableName":"fuzz","Item":{"key":{"S":"k"},"v":${item},"w":{"M":{"x":${other}}}}}`,
          ),
      ),
    ),
  )
  .map(([operation, body]) => ({
    method: 'POST',
    path: '/',
    body,
    target: `DynamoDB_20120810.${operation}` as string | undefined,
  }));

/** Refusals that the HTTP parser itself gives have no body: they are of a request that no client of AWS can send. */
const parserStatuses = [400, 431];

const https = (): Target => {
  let agent: Agent | undefined;
  return door(
    'https',
    fc.oneof({ weight: 3, arbitrary: iotRequest }, dynamoRequest),
    async ({ access }, { method, path, body, target }) => {
      agent ??= new Agent({ ca: readFileSync(access.ca), keepAlive: true, maxSockets: together });
      const url = new URL(access.https);
      const signed = aws4.sign(
        {
          service: target ? 'dynamodb' : 'iot',
          region: 'local',
          method,
          host: url.host,
          path,
          body,
          headers: { 'content-type': 'application/json', ...(target ? { 'x-amz-target': target } : {}) },
        },
        access,
      );
      const using = agent;
      const { status, type, text } = await new Promise<{ status: number; type: unknown; text: string }>(
        (resolve, reject) => {
          const asked = httpsRequest(
            {
              host: '127.0.0.1',
              port: url.port,
              method,
              path,
              headers: signed.headers as Record<string, string>,
              agent: using,
              servername: 'localhost',
            },
            (response) => {
              const chunks: Buffer[] = [];
              response.on('data', (chunk: Buffer) => chunks.push(chunk));
              response.on('end', () =>
                resolve({
                  status: response.statusCode ?? 0,
                  type: response.headers['x-amzn-errortype'],
                  text: Buffer.concat(chunks).toString(),
                }),
              );
            },
          );
          asked.on('error', reject);
          asked.end(body);
        },
      );
      if (status < 400 || (parserStatuses.includes(status) && text === '')) return;
      const named = typeof type === 'string' || /"__type":"[\w.]+#\w+"/.test(text);
      if (status === 500 || !named)
        throw new Unexpected(`${method} ${path} was answered ${status} ${String(type)} ${text}`);
    },
  );
};

const deviceKey = makeDeviceKey();
const validCsr = await createCsr(deviceKey, 'demo_a');

const shadowTopic = fc
  .tuple(
    fc.constantFrom('t', 'u', '__proto__', '..', 'x'.repeat(128)),
    fc.constantFrom('', '/name/s', '/name/__proto__', `/name/${'s'.repeat(64)}`),
    fc.constantFrom('update', 'get', 'delete', 'update/accepted', 'list', ''),
  )
  .map(([thing, shadow, operation]) => `$aws/things/${thing}/shadow${shadow}/${operation}`);
const provisioningTopic = fc.constantFrom(
  '$aws/certificates/create/json',
  '$aws/certificates/create-from-csr/json',
  '$aws/certificates/create-from-csr/cbor',
  '$aws/provisioning-templates/t/provision/json',
  '$aws/provisioning-templates/t/provision/cbor',
  '$aws/rules/r/a',
  '$aws/events/presence/connected/x',
);
const mqttMessage = fc.tuple(
  fc.oneof({ weight: 4, arbitrary: shadowTopic }, { weight: 1, arbitrary: provisioningTopic }),
  bytes(
    fc.oneof(
      json,
      fc
        .tuple(json, json)
        .map(([desired, reported]) => `{"state":{"desired":${desired},"reported":${reported}}}`),
      json.map(
        (text) =>
          `{"certificateSigningRequest":${text},"certificateOwnershipToken":${text},"parameters":${text}}`,
      ),
      damaged(fc.constant('{"state":{"reported":{"a":1}},"version":2,"clientToken":"t"}')),
    ),
  ),
);
const payloadBytesMax = 128 * 1024;
const mqtt = () =>
  door('mqtt', mqttMessage, async ({ core }, [topic, payload]) => {
    // What is larger the broker refuses before it looks at it.
    await core.broker.publish(topic, payload.subarray(0, payloadBytesMax), {
      qos: 1,
      meta: { clientId: 'fuzz' },
    });
  });

/** A PEM with a byte changed, a part cut out or its end cut off; and texts that are none. */
function damagedPem(valid: string): fc.Arbitrary<string> {
  const [, label = ''] = /-----BEGIN ([^-]+)-----/.exec(valid) ?? [];
  const der = Buffer.from(valid.replace(/-----[^-]+-----|\s/g, ''), 'base64');
  const damage = fc.tuple(fc.nat(der.length - 1), fc.nat(255), fc.nat(3), fc.nat(20));
  return fc.oneof(
    {
      weight: 4,
      arbitrary: damage.map(([at, byte, how, length]) => {
        const changed = Buffer.from(der);
        changed[at] = byte;
        const part =
          how === 0
            ? Buffer.concat([changed.subarray(0, at), changed.subarray(at + length)])
            : how === 1
              ? changed.subarray(0, at)
              : changed;
        return `-----BEGIN ${label}-----\n${part.toString('base64')}\n-----END ${label}-----\n`;
      }),
    },
    damaged(fc.constant(valid)),
    name,
    json,
  );
}

/** Taken, or refused with an error of AWS's. */
async function takenOrRefused<T>(work: Promise<T>): Promise<T | undefined> {
  return work.catch((error: unknown) => {
    if (error instanceof Error && 'status' in error && Number(error.status) < 500) return undefined;
    throw new Unexpected(`not an error of AWS's: ${String(error)}`, { cause: error });
  });
}

const csr = () =>
  door('csr', damagedPem(validCsr), async ({ core }, text) => {
    await takenOrRefused(core.registry.certificates.createFromCsr(text, false));
  });

const authority = await makeAuthority('an authority');
const issued = await issueFromCsr(authority, validCsr);

/** Of authorities, of what they signed, and of both as a device shows them when it connects. */
const certificates = () =>
  door(
    'certificates',
    fc.tuple(damagedPem(authority.certificatePem), damagedPem(issued)),
    async ({ core }, [ca, signed]) => {
      const { authorities, certificates: registry } = core.registry;
      const caCertificate = { caCertificate: ca, certificateMode: 'SNI_ONLY' } as const;
      const made = await takenOrRefused(
        authorities.register({ ...caCertificate, setAsActive: true, allowAutoRegistration: true }),
      );
      await takenOrRefused(registry.registerSigned(signed, 'INACTIVE', undefined));
      await takenOrRefused(registry.registerSigned(issued, 'INACTIVE', ca));
      if (!made) return;
      await authorities.update(made.certificateId, { newStatus: 'INACTIVE' });
      await authorities.delete(made.certificateId);
    },
  );

export const doorTargets = (): readonly Target[] => [https(), mqtt(), csr(), certificates()];
