import { readFileSync } from 'node:fs';
import { Agent } from 'node:https';
import {
  CreateProvisioningTemplateCommand,
  CreateProvisioningTemplateVersionCommand,
  DeleteProvisioningTemplateCommand,
  DeleteProvisioningTemplateVersionCommand,
  DescribeProvisioningTemplateCommand,
  DescribeThingCommand,
  IoTClient,
  ListProvisioningTemplateVersionsCommand,
  RegisterThingCommand,
  UpdateProvisioningTemplateCommand,
} from '@aws-sdk/client-iot';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { decode, encode } from 'cborg';
import fc from 'fast-check';
import type { MqttClient } from 'mqtt';
import pino from 'pino';
import { createCsr } from '../../certs-scripts/csr.ts';
import { makeDeviceKey } from '../../certs-scripts/device-key.ts';
import { allowAll, type Device, listen, openTestCloud, type TestCloud } from '../core-fixture.ts';
import { createProvisioning } from './service.ts';

const cloudRule = (path: string) =>
  JSON.parse(readFileSync(new URL(`../../cloud-rules/${path}.json`, import.meta.url), 'utf8'));
const createTopic = '$aws/certificates/create-from-csr/json';
const provisionTopic = '$aws/provisioning-templates/beam-server/provision/json';
const hookArn = 'arn:aws:lambda:local:000000000000:function:provision';

let cloud: TestCloud;
let iot: IoTClient;
let claim: Device;
let nowMs = Date.now();
/** What the hook was asked, and what it answers. */
const asked: object[] = [];
let hook: (event: object) => unknown = () => ({ allowProvisioning: true });

beforeAll(async () => {
  cloud = await openTestCloud({
    nowMs: () => nowMs,
    invokeFunction: async (functionArn, event) => {
      expect(functionArn).toBe(hookArn);
      asked.push(event);
      return hook(event);
    },
  });
  const { accessKeyId, secretAccessKey, https } = cloud.ready;
  iot = new IoTClient({
    endpoint: https,
    region: 'local',
    credentials: { accessKeyId, secretAccessKey },
    requestHandler: new NodeHttpHandler({ httpsAgent: new Agent({ ca: cloud.caPem }) }),
    maxAttempts: 1,
  });
  const { policies, things, groups } = cloud.core.registry;
  for (const name of ['beam-claim', 'beam-pilot', 'beam-rotate', 'beam-validator']) {
    await policies.ensure(name, JSON.stringify(cloudRule(`policies/${name}`).policyDocument));
  }
  await things.createType('beam-pilot');
  await groups.create('beam_demo');
  claim = await cloud.device('beam-claim-1', ['beam-claim']);
  const { templateBody, templateName, enabled } = cloudRule('templates/beam-server');
  await iot.send(
    new CreateProvisioningTemplateCommand({
      templateName,
      enabled,
      templateBody: JSON.stringify(templateBody),
      provisioningRoleArn: 'arn:aws:iam::000000000000:role/beam-provisioning',
      preProvisioningHook: { targetArn: hookArn, payloadVersion: '2020-04-01' },
    }),
  );
});
afterAll(async () => {
  iot.destroy();
  await cloud.close();
});

async function ask(client: MqttClient, topic: string, body: object) {
  const inbox = listen(client);
  await client.subscribeAsync([`${topic}/accepted`, `${topic}/rejected`], { qos: 1 });
  await client.publishAsync(topic, JSON.stringify(body), { qos: 1 });
  const [answer] = await inbox.until(1);
  return { tail: answer?.topic.slice(topic.length + 1), body: JSON.parse(answer?.text ?? '') };
}

const withClaim = (clientId: string) => cloud.connect(claim, { clientId });

test('a fresh server with the claim certificate becomes a thing by the hook’s leave, with its own key', async () => {
  const client = await withClaim('beam-claim-a');
  const eavesdropper = await withClaim('beam-claim-b');
  const heard = listen(eavesdropper);
  await eavesdropper.subscribeAsync([`${createTopic}/accepted`, `${provisionTopic}/accepted`]);

  const keyPem = makeDeviceKey();
  const csr = await createCsr(keyPem, 'demo_a');
  const made = await ask(client, createTopic, { certificateSigningRequest: csr });
  expect(made).toMatchObject({
    tail: 'accepted',
    body: { certificateId: expect.stringMatching(/^\w{64}$/) },
  });
  const { certificateId, certificatePem, certificateOwnershipToken } = made.body;
  const own = { ...claim, thing: 'demo_a', certificateId, certificatePem, keyPem };
  await expect(cloud.connect(own)).rejects.toThrow();

  const provision = {
    certificateOwnershipToken,
    parameters: { Fleet: 'demo', Node: 'a', Kind: 'sentry' },
  };
  hook = () => ({ allowProvisioning: false });
  expect(await ask(client, provisionTopic, provision)).toMatchObject({
    tail: 'rejected',
    body: { statusCode: 403, errorCode: 'AccessDenied', errorMessage: expect.stringMatching(/hook/) },
  });
  expect(cloud.core.registry.things.find('demo_a')).toBeUndefined();

  hook = () => ({ allowProvisioning: true, parameterOverrides: { Kind: 'validator', Zone: 'b' } });
  expect(await ask(client, provisionTopic, provision)).toEqual({
    tail: 'accepted',
    body: { deviceConfiguration: {}, thingName: 'demo_a' },
  });
  expect(asked.at(-1)).toEqual({
    claimCertificateId: claim.certificateId,
    certificateId,
    certificatePem,
    templateArn: 'arn:aws:iot:local:000000000000:provisioningtemplate/beam-server',
    clientId: 'beam-claim-a',
    parameters: provision.parameters,
  });
  expect(await iot.send(new DescribeThingCommand({ thingName: 'demo_a' }))).toMatchObject({
    thingTypeName: 'beam-pilot',
    attributes: { fleet: 'demo', kind: 'validator', zone: 'b' },
  });
  // The same answer again, as to a device whose connection broke before it heard it.
  expect((await ask(client, provisionTopic, provision)).tail).toBe('accepted');
  expect((await cloud.connect(own)).connected).toBe(true);
  expect(heard.heard).toEqual([]);
});

test('a token that is forged, over or missing, a broken request, a template that is not there: refused, each by name', async () => {
  const client = await withClaim('beam-claim-c');
  const csr = await createCsr(makeDeviceKey(), 'demo_b');
  const made = await ask(client, createTopic, { certificateSigningRequest: csr });
  const parameters = { Fleet: 'demo', Node: 'b', Kind: 'sentry' };
  const refused = async (body: object) => (await ask(client, provisionTopic, body)).body.errorCode;
  const token: string = made.body.certificateOwnershipToken;
  const forged = `${Buffer.from(JSON.stringify({ certificateId: claim.certificateId, expiresAt: 9e9 })).toString('base64url')}.${token.split('.')[1]}`;
  expect(await refused({ certificateOwnershipToken: forged, parameters })).toBe(
    'InvalidCertificateOwnershipToken',
  );
  expect(await refused({ parameters })).toBe('InvalidCertificateOwnershipToken');
  hook = () => ({ allowProvisioning: 'yes' });
  expect(await refused({ certificateOwnershipToken: token, parameters })).toBe('InternalFailure');
  hook = () => ({ allowProvisioning: true });
  expect(await refused({ certificateOwnershipToken: token, parameters: { Fleet: 'demo' } })).toBe(
    'InvalidParameters',
  );
  const long = { ...parameters, Zone: 'z'.repeat(4_097) };
  expect(await refused({ certificateOwnershipToken: token, parameters: long })).toBe('InvalidPayload');
  await iot.send(new UpdateProvisioningTemplateCommand({ templateName: 'beam-server', enabled: false }));
  expect(await refused({ certificateOwnershipToken: token, parameters })).toBe('AccessDenied');
  await iot.send(new UpdateProvisioningTemplateCommand({ templateName: 'beam-server', enabled: true }));
  expect((await ask(client, createTopic, { certificateSigningRequest: 'nonsense' })).body).toMatchObject({
    statusCode: 400,
    errorCode: 'InvalidRequest',
  });

  nowMs += 3_601_000;
  expect(await refused({ certificateOwnershipToken: token, parameters })).toBe(
    'InvalidCertificateOwnershipToken',
  );
  await cloud.core.registry.certificates.forgetPending(nowMs / 1000);
  expect(cloud.core.registry.certificates.find(made.body.certificateId)).toBeUndefined();
});

test('in CBOR, with a key that the cloud makes', async () => {
  const device = await cloud.device('cbor-1');
  const client = await cloud.connect(device);
  const answers: { topic: string; body: Record<string, string> }[] = [];
  client.on('message', (topic, payload) => answers.push({ topic, body: decode(payload) }));
  const topic = '$aws/certificates/create/cbor';
  await client.subscribeAsync([
    '$aws/certificates/create/cbor/+',
    `${provisionTopic.replace('json', 'cbor')}/+`,
  ]);
  const until = async (count: number) => {
    while (answers.length < count) await new Promise((resolve) => setTimeout(resolve, 5));
    return answers[count - 1];
  };
  await client.publishAsync(topic, Buffer.alloc(0));
  const made = await until(1);
  expect(made?.topic).toBe(`${topic}/accepted`);
  expect(made?.body.privateKey).toMatch(/BEGIN PRIVATE KEY/);
  await client.publishAsync(
    provisionTopic.replace('json', 'cbor'),
    Buffer.from(
      encode({
        certificateOwnershipToken: made?.body.certificateOwnershipToken,
        parameters: { Fleet: 'demo', Node: 'cbor', Kind: 'sentry' },
      }),
    ),
  );
  expect((await until(2))?.body.thingName).toBe('demo_cbor');
});

test('whatever is sent to the reserved topics, the answer is a rejection', async () => {
  const codes = new Set<number>();
  const service = createProvisioning({
    registry: cloud.core.registry,
    invokeHook: async () => ({ allowProvisioning: true }),
    secret: 'secret',
    answer: (_to, topic, payload) => {
      const body = topic.includes('cbor') ? decode(payload) : JSON.parse(payload.toString());
      codes.add(body.statusCode);
    },
    nowMs: Date.now,
    log: pino({ level: 'silent' }),
  });
  const body = fc.record({
    certificateOwnershipToken: fc.string(),
    certificateSigningRequest: fc.string(),
    ['__proto__']: fc.jsonValue(),
  });
  const payload = fc.oneof(
    fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
    fc.oneof(fc.jsonValue(), body).map((value) => Buffer.from(JSON.stringify(value))),
    fc.oneof(fc.jsonValue(), body).map((value) => Buffer.from(encode(value))),
    fc.constantFrom(Buffer.from('['.repeat(50_000)), Buffer.alloc(50_000, 0x81)),
  );
  const topic = fc.constantFrom(createTopic, provisionTopic, createTopic.replace('json', 'cbor'));
  await fc.assert(
    fc.asyncProperty(topic, payload, (to, bytes) =>
      service.request(to, bytes, { clientId: 'x', principalId: claim.certificateId }),
    ),
    { numRuns: 200 },
  );
  expect(codes).toEqual(new Set([400]));
});

test('a claim may do nothing else, and no one else may ask', async () => {
  const client = await withClaim('beam-claim-d');
  const closed = new Promise((resolve) => client.once('close', () => resolve(undefined)));
  client.publish('beam/demo/demo_a/health', '{}');
  await closed;
  await expect(withClaim('demo_a')).rejects.toThrow();
});

test('templates have versions, of which one is the default', async () => {
  const body = (thing: string) =>
    JSON.stringify({
      Parameters: { Csr: { Type: 'String' } },
      Resources: {
        thing: { Type: 'AWS::IoT::Thing', Properties: { ThingName: thing } },
        certificate: {
          Type: 'AWS::IoT::Certificate',
          Properties: { CertificateSigningRequest: { Ref: 'Csr' } },
        },
        policy: { Type: 'AWS::IoT::Policy', Properties: { PolicyDocument: allowAll } },
      },
    });
  const templateName = 'mine';
  const provisioningRoleArn = 'arn:aws:iam::000000000000:role/some';
  const create = () =>
    iot.send(
      new CreateProvisioningTemplateCommand({ templateName, provisioningRoleArn, templateBody: body('x') }),
    );
  await create();
  await expect(create()).rejects.toMatchObject({ name: 'ResourceAlreadyExistsException' });
  await iot.send(
    new CreateProvisioningTemplateVersionCommand({
      templateName,
      templateBody: body('y'),
      setAsDefault: true,
    }),
  );
  expect(await iot.send(new DescribeProvisioningTemplateCommand({ templateName }))).toMatchObject({
    defaultVersionId: 2,
    templateBody: body('y'),
    enabled: false,
    type: 'FLEET_PROVISIONING',
  });
  await expect(
    iot.send(new DeleteProvisioningTemplateVersionCommand({ templateName, versionId: 2 })),
  ).rejects.toMatchObject({ name: 'DeleteConflictException' });
  await iot.send(new DeleteProvisioningTemplateVersionCommand({ templateName, versionId: 1 }));
  const { versions } = await iot.send(new ListProvisioningTemplateVersionsCommand({ templateName }));
  expect(versions).toMatchObject([{ versionId: 2, isDefaultVersion: true }]);
  await iot.send(new DeleteProvisioningTemplateCommand({ templateName }));
  await expect(iot.send(new DescribeProvisioningTemplateCommand({ templateName }))).rejects.toMatchObject({
    name: 'ResourceNotFoundException',
  });

  const registered = await iot.send(
    new RegisterThingCommand({
      templateBody: body('registered-1'),
      parameters: { Csr: await createCsr(makeDeviceKey(), 'registered-1') },
    }),
  );
  expect(registered.resourceArns?.thing).toMatch(/thing\/registered-1$/);
  expect(cloud.core.registry.things.certificatesOf('registered-1')).toHaveLength(1);
});
