/**
 * A server's life with its certificate, by the commands that a person would give, on a local cloud with its real functions:
 * admitted, registered with a claim, renewed under a running connection, the old one retired, the last one revoked.
 */

import type { ChildProcess } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import { Agent } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DescribeThingCommand, ListAttachedPoliciesCommand } from '@aws-sdk/client-iot';
import { LambdaClient, UpdateFunctionConfigurationCommand } from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import mqtt, { type MqttClient } from 'mqtt';
import { certificatesOf } from '../certs-scripts/rotate.ts';
import { signerOfDocuments } from '../lambdas/provision/sample-documents.ts';
import { dynamoTable } from '../signer/dynamodb.ts';
import { RoleAliasCredentials } from '../signer/role-alias-credentials.ts';
import { beam, until } from './beam.ts';
import { clients, end, type Ready, start } from './cloud-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'beam-registration-'));
let cloud: { child: ChildProcess; ready: Ready };

beforeAll(async () => {
  cloud = await start(folder);
  writeFileSync(join(folder, 'local.json'), JSON.stringify(cloud.ready));
}, 60_000);
afterAll(async () => {
  await end(cloud.child, 'SIGTERM');
  rmSync(folder, { recursive: true, force: true });
});

const asOperator = (...args: string[]) => beam([...args, '--data', folder, '--json']);

/** A home as a fresh machine has it: no certificate, a claim, and nobody's access key. */
async function freshServer(node: string, kind: string): Promise<string> {
  const home = join(folder, node);
  const args = ['init', '--home', home, '--fleet', 'hub', '--node', node, '--kind', kind, '--no-register'];
  args.push('--gaiad', '/nowhere/gaiad', '--gaiad-home', join(home, 'gaiad'), '--p2p', '127.0.0.1:1');
  args.push('--mqtt', cloud.ready.mqtt, '--zone', 'z', '--chain-id', 'hub-1');
  const made = await beam([...args, '--data', folder]);
  if (made.code !== 0) throw new Error(made.stderr);
  for (const name of ['claim.pem.crt', 'claim.key']) {
    if (!existsSync(join(folder, 'claim', name))) continue;
    copyFileSync(join(folder, 'claim', name), join(home, 'certs', name));
  }
  return home;
}

const pem = (home: string, name: string) => readFileSync(join(home, 'certs', name), 'utf8');

async function connect(home: string, thing: string): Promise<MqttClient> {
  const client = mqtt.connect(`mqtts://${cloud.ready.mqtt}`, {
    ca: readFileSync(cloud.ready.ca),
    cert: pem(home, 'device.pem.crt'),
    key: pem(home, 'device.key'),
    clientId: thing,
    reconnectPeriod: 0,
  });
  client.on('error', () => undefined);
  await new Promise<void>((resolve, reject) => {
    client.once('connect', () => resolve());
    client.once('close', () => reject(new Error(`${thing} was refused`)));
  });
  return client;
}

test('a fresh server is let in once, as what it was admitted as; renews its certificate; the old one is retired; revocation cuts it', async () => {
  const { iot } = clients(cloud.ready);
  expect(await asOperator('certs', 'claim', '--out', join(folder, 'claim'))).toMatchObject({ code: 0 });
  const home = await freshServer('a', 'validator');
  // The record by the socket of the cloud beside it: a signer's alone.
  const socket = `socket = "${cloud.ready.socket}"`;
  expect(readFileSync(join(home, 'config.toml'), 'utf8')).toContain(socket);

  const early = await beam(['register', '--home', home]);
  expect([early.code, early.stderr]).toEqual([1, expect.stringMatching(/AccessDenied.*beam fleet admit/s)]);
  await asOperator('fleet', 'admit', 'hub', 'a', '--kind', 'sentry');
  expect((await beam(['register', '--home', home])).code).toBe(1);
  expect(existsSync(join(home, 'certs/device.pem.crt'))).toBe(false);

  await asOperator('fleet', 'admit', 'hub', 'a', '--kind', 'validator', '--zone', 'eu-1');
  const registered = await beam(['register', '--home', home, '--json']);
  expect(registered.stderr).toBe('');
  expect(JSON.parse(registered.stdout)).toMatchObject({
    thing: 'hub_a',
    before: false,
    claimForgotten: true,
  });
  expect(existsSync(join(home, 'certs/claim.key'))).toBe(false);
  expect(statSync(join(home, 'certs/device.key')).mode & 0o777).toBe(0o600);
  expect(await iot.send(new DescribeThingCommand({ thingName: 'hub_a' }))).toMatchObject({
    thingTypeName: 'beam-pilot',
    attributes: { fleet: 'hub', kind: 'validator', zone: 'eu-1' },
  });
  const [first = ''] = await certificatesOf(iot, 'hub_a');
  const policies = async (target: string) =>
    (await iot.send(new ListAttachedPoliciesCommand({ target }))).policies
      ?.map((each) => each.policyName)
      .sort();
  expect(await policies(first)).toEqual(['beam-pilot', 'beam-rotate', 'beam-validator']);
  // The same again does nothing.
  expect(JSON.parse((await beam(['register', '--home', home, '--json'])).stdout)).toMatchObject({
    before: true,
  });

  // With its certificate the validator reads the sign record, as its role may, and nothing else.
  const table = (name: string) =>
    dynamoTable({
      table: name,
      region: 'local',
      endpoint: cloud.ready.https,
      ca: cloud.ready.ca,
      roleAlias: new RoleAliasCredentials({
        provider: cloud.ready.credentialProvider ?? '',
        roleAlias: 'beam-signer',
        thing: 'hub_a',
        certificate: join(home, 'certs/device.pem.crt'),
        key: join(home, 'certs/device.key'),
        ca: cloud.ready.ca,
      }),
    });
  const { signal } = new AbortController();
  expect(await table('beam-sign').getItem('none', signal)).toBeUndefined();
  await expect(table('beam-fleet').getItem('none', signal)).rejects.toThrow(/not authorized/);

  // A copy of the claim, and of the server's name, gets nothing.
  const thief = join(folder, 'thief');
  rmSync(thief, { recursive: true, force: true });
  const copy = await freshServer('b', 'validator');
  writeFileSync(join(copy, 'node.toml'), readFileSync(join(home, 'node.toml'), 'utf8'));
  expect((await beam(['register', '--home', copy])).stderr).toMatch(/AccessDenied/);

  const before = await connect(home, 'hub_a');
  const keyBefore = pem(home, 'device.key');
  const undue = await beam(['certs', 'renew', '--home', home, '--within-days', '30', '--json']);
  expect(JSON.parse(undue.stdout)).toMatchObject({ renewed: false });
  const renewed = await beam(['certs', 'renew', '--home', home, '--json']);
  expect(renewed.stderr).toBe('');
  expect(JSON.parse(renewed.stdout)).toMatchObject({ thing: 'hub_a', renewed: true });
  expect(before.connected).toBe(true);
  expect(pem(home, 'device.key')).not.toBe(keyBefore);
  expect(await certificatesOf(iot, 'hub_a')).toHaveLength(2);

  const after = await connect(home, 'hub_a');
  await until('the first connection gives way', () => (before.connected ? undefined : true));
  const retired = await asOperator('certs', 'retire', 'hub_a');
  expect(JSON.parse(retired.stdout)).toMatchObject({ revoked: [first] });
  const [second = ''] = await certificatesOf(iot, 'hub_a');
  expect(await policies(second)).toEqual(['beam-pilot', 'beam-rotate', 'beam-validator']);
  expect(after.connected).toBe(true);

  await asOperator('certs', 'revoke', second);
  await until('its connection is cut', () => (after.connected ? undefined : true));
  await expect(connect(home, 'hub_a')).rejects.toThrow(/refused/);
}, 120_000);

test('with an authority of one’s own: registered, a server comes just in time by its certificate, and the authority’s list cuts it', async () => {
  const { iot } = clients(cloud.ready);
  const at = (name: string) => join(folder, name);
  const own = async (...args: string[]) => {
    const ended = await beam(args);
    if (ended.code !== 0) throw new Error(`${args.join(' ')}: ${ended.stderr}`);
  };
  await own('certs', 'ca', '--out', at('root'), '--name', 'root');
  await own('certs', 'ca', '--out', at('devices'), '--signed-by', at('root'));
  const ca = ['--authority', at('devices')];
  const provision = ['--just-in-time', 'provision', '--fleet', 'hub'];
  const registered = await asOperator('certs', 'register-ca', ...ca, ...provision);
  expect([registered.stderr, registered.code]).toEqual(['', 0]);

  const home = await freshServer('c', 'sentry');
  const certificate = join(home, 'certs/device.pem.crt');
  const issue = ['--csr', join(home, 'certs/device.csr'), '--out', certificate, '--chain'];
  await own('certs', 'issue', ...ca, ...issue, '--thing', 'hub_c', '--kind', 'sentry');
  const come = await beam(['register', '--home', home, '--just-in-time', '--json']);
  expect([come.stderr, come.code]).toEqual(['', 0]);
  expect(await iot.send(new DescribeThingCommand({ thingName: 'hub_c' }))).toMatchObject({
    thingTypeName: 'beam-pilot',
    attributes: { fleet: 'hub', kind: 'sentry' },
  });
  const [arn = ''] = await certificatesOf(iot, 'hub_c');
  const { policies = [] } = await iot.send(new ListAttachedPoliciesCommand({ target: arn }));
  expect(policies.map(({ policyName }) => policyName).sort()).toEqual(['beam-pilot', 'beam-rotate']);

  const client = await connect(home, 'hub_c');
  await own('certs', 'crl', ...ca, '--revoke', certificate);
  expect((await beam(['certs', 'check', certificate, ...ca])).code).toBe(1);
  const enforced = await asOperator('certs', 'enforce', ...ca);
  expect(JSON.parse(enforced.stdout)).toMatchObject({ revoked: [arn] });
  await until('its connection is cut', () => (client.connected ? undefined : true));
}, 60_000);

test('an EC2 instance is let in by its identity document (its metadata service is a real HTTP server of this test’s, signing with a key of its own)', async () => {
  const { https, ca, accessKeyId, secretAccessKey } = cloud.ready;
  const { iot } = clients(cloud.ready);
  const aws = await signerOfDocuments();
  const lambda = new LambdaClient({
    endpoint: https,
    region: 'local',
    credentials: { accessKeyId, secretAccessKey },
    requestHandler: new NodeHttpHandler({ httpsAgent: new Agent({ ca: readFileSync(ca) }) }),
  });
  const Variables = { BEAM_FLEET_TABLE: 'beam-fleet', BEAM_INSTANCE_CERTIFICATES: aws.certificatePem };
  await lambda.send(
    new UpdateFunctionConfigurationCommand({ FunctionName: 'beam-provision', Environment: { Variables } }),
  );
  lambda.destroy();

  let document = aws.document({ pendingTime: new Date().toISOString() });
  const answers: Record<string, () => string> = {
    'PUT /latest/api/token': () => 'a token',
    'GET /latest/dynamic/instance-identity/document': () => document,
    'GET /latest/dynamic/instance-identity/signature': () => aws.sign(document).replace(/.{64}/g, '$&\n'),
  };
  const metadata = createServer(({ method, url, headers }, response) => {
    const isAllowed = method === 'PUT' || headers['x-aws-ec2-metadata-token'] === 'a token';
    response.statusCode = isAllowed ? 200 : 401;
    response.end(isAllowed ? answers[`${method} ${url}`]?.() : '');
  });
  await new Promise<void>((resolve) => metadata.listen(0, '127.0.0.1', () => resolve()));
  process.env.AWS_EC2_METADATA_SERVICE_ENDPOINT = `http://127.0.0.1:${(metadata.address() as AddressInfo).port}`;
  try {
    const admit = (instance: string) =>
      asOperator('fleet', 'admit', 'hub', 'd', '--kind', 'sentry', '--instance', instance);
    const home = await freshServer('d', 'sentry');
    const register = () => beam(['register', '--home', home, '--instance-identity', '--json']);
    await admit('own');
    const registered = await register();
    expect([registered.stderr, registered.code]).toEqual(['', 0]);
    expect(await iot.send(new DescribeThingCommand({ thingName: 'hub_d' }))).toMatchObject({
      attributes: { kind: 'sentry', zone: 'eu-west-1a', instanceId: 'i-0123456789abcdef0' },
    });
    // What comes in its place, started after it, is let in as well; a copy of the first one's document is not.
    rmSync(home, { recursive: true });
    const next = await freshServer('d', 'sentry');
    expect((await register()).stderr).toMatch(/AccessDenied/);
    document = aws.document({ pendingTime: new Date().toISOString(), instanceId: 'i-0fedcba9876543210' });
    expect((await register()).code).toBe(0);
    expect(next).toBe(home);
  } finally {
    delete process.env.AWS_EC2_METADATA_SERVICE_ENDPOINT;
    metadata.close();
  }
}, 60_000);
