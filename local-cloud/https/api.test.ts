import { createHash, X509Certificate } from 'node:crypto';
import { Agent, request } from 'node:https';
import {
  AddThingToThingGroupCommand,
  AttachPolicyCommand,
  AttachThingPrincipalCommand,
  CreateCertificateFromCsrCommand,
  CreateKeysAndCertificateCommand,
  CreatePolicyCommand,
  CreateThingCommand,
  CreateThingGroupCommand,
  CreateThingTypeCommand,
  CreateTopicRuleCommand,
  DeleteCertificateCommand,
  DeleteThingCommand,
  DeleteTopicRuleCommand,
  DescribeCertificateCommand,
  DescribeEndpointCommand,
  DescribeThingCommand,
  DescribeThingTypeCommand,
  DetachPolicyCommand,
  DetachThingPrincipalCommand,
  GetPolicyCommand,
  GetTopicRuleCommand,
  IoTClient,
  ListAttachedPoliciesCommand,
  ListCertificatesCommand,
  ListJobsCommand,
  ListPoliciesCommand,
  ListPrincipalThingsCommand,
  ListThingPrincipalsCommand,
  ListThingsCommand,
  ListThingsInThingGroupCommand,
  ListTopicRulesCommand,
  RegisterCertificateWithoutCACommand,
  ReplaceTopicRuleCommand,
  UpdateCertificateCommand,
  UpdateThingCommand,
} from '@aws-sdk/client-iot';
import {
  DeleteThingShadowCommand,
  GetRetainedMessageCommand,
  GetThingShadowCommand,
  IoTDataPlaneClient,
  ListNamedShadowsForThingCommand,
  PublishCommand,
  UpdateThingShadowCommand,
} from '@aws-sdk/client-iot-data-plane';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { allowAll, listen, openTestCloud, type TestCloud } from '../core-fixture.ts';
import { createIssuer, makeAuthority } from '../tls/issuer.ts';

let cloud: TestCloud;
let iot: IoTClient;
let data: IoTDataPlaneClient;
const rules = new Map<string, unknown>();

function clientOptions(change: Partial<{ accessKeyId: string; secretAccessKey: string }> = {}) {
  const { accessKeyId, secretAccessKey, https } = cloud.ready;
  return {
    endpoint: https,
    region: 'local',
    credentials: { accessKeyId, secretAccessKey, ...change },
    requestHandler: new NodeHttpHandler({ httpsAgent: new Agent({ ca: cloud.caPem, keepAlive: true }) }),
    maxAttempts: 1,
  };
}

beforeAll(async () => {
  cloud = await openTestCloud({
    rules: {
      load(ruleName, payload) {
        if (payload.sql !== "SELECT * FROM 'a/b'") throw new Error(`SQL not known: ${String(payload.sql)}`);
        rules.set(ruleName, payload);
      },
      remove: (ruleName) => void rules.delete(ruleName),
    },
  });
  iot = new IoTClient(clientOptions());
  data = new IoTDataPlaneClient(clientOptions());
});
afterAll(async () => {
  iot.destroy();
  data.destroy();
  await cloud.close();
});

const refusal = (name: string, message: RegExp) =>
  expect.objectContaining({ name, message: expect.stringMatching(message) });

test('things: made once, described, listed by attribute, updated by version, deleted', async () => {
  await iot.send(new CreateThingTypeCommand({ thingTypeName: 'beam-pilot' }));
  await iot.send(new CreateThingTypeCommand({ thingTypeName: 'beam-pilot' }));
  const type = await iot.send(new DescribeThingTypeCommand({ thingTypeName: 'beam-pilot' }));
  expect(type.thingTypeMetadata?.creationDate).toBeInstanceOf(Date);

  const attributes = { fleet: 'demo', kind: 'validator', zone: 'a', rack: '7' };
  const create = (values: Record<string, string>) =>
    new CreateThingCommand({
      thingName: 'demo_val-1',
      thingTypeName: 'beam-pilot',
      attributePayload: { attributes: values },
    });
  const made = await iot.send(create(attributes));
  expect(made.thingArn).toBe('arn:aws:iot:local:000000000000:thing/demo_val-1');
  expect((await iot.send(create(attributes))).thingId).toBe(made.thingId);
  await expect(iot.send(create({ fleet: 'other' }))).rejects.toEqual(
    refusal('ResourceAlreadyExistsException', /different attributes/),
  );
  await expect(iot.send(new CreateThingCommand({ thingName: 'x', thingTypeName: 'none' }))).rejects.toEqual(
    refusal('ResourceNotFoundException', /none/),
  );

  await iot.send(
    new UpdateThingCommand({
      thingName: 'demo_val-1',
      attributePayload: { attributes: { zone: 'b', rack: '' }, merge: true },
      expectedVersion: 1,
    }),
  );
  expect(await iot.send(new DescribeThingCommand({ thingName: 'demo_val-1' }))).toMatchObject({
    defaultClientId: 'demo_val-1',
    thingTypeName: 'beam-pilot',
    attributes: { fleet: 'demo', kind: 'validator', zone: 'b' },
    version: 2,
  });
  await expect(
    iot.send(new UpdateThingCommand({ thingName: 'demo_val-1', expectedVersion: 1 })),
  ).rejects.toEqual(refusal('VersionConflictException', /it is 2/));

  await iot.send(new CreateThingCommand({ thingName: 'plain' }));
  const listed = await iot.send(new ListThingsCommand({ attributeName: 'fleet', attributeValue: 'demo' }));
  expect(listed.things?.map(({ thingName }) => thingName)).toEqual(['demo_val-1']);
  const first = await iot.send(new ListThingsCommand({ maxResults: 1 }));
  const second = await iot.send(new ListThingsCommand({ maxResults: 1, nextToken: first.nextToken }));
  expect([first, second].map(({ things }) => things?.[0]?.thingName)).toEqual(['demo_val-1', 'plain']);
  expect(second.nextToken).toBeUndefined();
  await expect(iot.send(new ListThingsCommand({ maxResults: 251 }))).rejects.toEqual(
    refusal('InvalidRequestException', /1 to 250/),
  );
  await expect(iot.send(new ListPoliciesCommand({ marker: first.nextToken }))).rejects.toEqual(
    refusal('InvalidRequestException', /token/),
  );
  await iot.send(new DeleteThingCommand({ thingName: 'plain' }));
  await iot.send(new DeleteThingCommand({ thingName: 'plain' }));
  await expect(iot.send(new DescribeThingCommand({ thingName: 'plain' }))).rejects.toEqual(
    refusal('ResourceNotFoundException', /Thing plain not found/),
  );
});

test('groups hold things', async () => {
  await iot.send(new CreateThingCommand({ thingName: 'demo_group-1' }));
  await iot.send(new CreateThingGroupCommand({ thingGroupName: 'beam_demo' }));
  await iot.send(new CreateThingGroupCommand({ thingGroupName: 'beam_demo' }));
  const membership = { thingGroupName: 'beam_demo', thingName: 'demo_group-1' };
  await iot.send(new AddThingToThingGroupCommand(membership));
  await iot.send(new AddThingToThingGroupCommand(membership));
  const { things } = await iot.send(new ListThingsInThingGroupCommand({ thingGroupName: 'beam_demo' }));
  expect(things).toEqual(['demo_group-1']);
  await expect(
    iot.send(new AddThingToThingGroupCommand({ ...membership, thingGroupName: 'none' })),
  ).rejects.toEqual(refusal('ResourceNotFoundException', /none/));
  await iot.send(new DeleteThingCommand({ thingName: 'demo_group-1' }));
  expect((await iot.send(new ListThingsInThingGroupCommand({ thingGroupName: 'beam_demo' }))).things).toEqual(
    [],
  );
});

test('certificates, policies and principals, attached, listed, detached and deleted in the order that AWS wants', async () => {
  const policyDocument = allowAll;
  await iot.send(new CreatePolicyCommand({ policyName: 'p1', policyDocument }));
  await expect(iot.send(new CreatePolicyCommand({ policyName: 'p1', policyDocument }))).rejects.toEqual(
    refusal('ResourceAlreadyExistsException', /p1/),
  );
  await expect(
    iot.send(new CreatePolicyCommand({ policyName: 'p2', policyDocument: '{"Version":"2012-10-17"}' })),
  ).rejects.toEqual(refusal('MalformedPolicyException', /Statement/));
  expect((await iot.send(new GetPolicyCommand({ policyName: 'p1' }))).policyDocument).toBe(policyDocument);
  expect((await iot.send(new ListPoliciesCommand({}))).policies?.map((each) => each.policyName)).toContain(
    'p1',
  );

  const made = await iot.send(new CreateKeysAndCertificateCommand({ setAsActive: true }));
  const { certificateArn = '', certificateId = '', certificatePem = '' } = made;
  const certificate = new X509Certificate(certificatePem);
  expect(certificateId).toBe(createHash('sha256').update(certificate.raw).digest('hex'));
  expect(certificate.checkIssued(new X509Certificate(cloud.caPem))).toBe(true);
  expect(made.keyPair?.PrivateKey).toMatch(/BEGIN PRIVATE KEY/);
  const described = await iot.send(new DescribeCertificateCommand({ certificateId }));
  expect(described.certificateDescription).toMatchObject({ status: 'ACTIVE', certificatePem });
  expect(described.certificateDescription?.validity?.notAfter?.getUTCFullYear()).toBe(2049);

  await iot.send(new CreateThingCommand({ thingName: 'demo_cert-1' }));
  await iot.send(new AttachPolicyCommand({ policyName: 'p1', target: certificateArn }));
  await iot.send(new AttachPolicyCommand({ policyName: 'p1', target: certificateArn }));
  await iot.send(new AttachThingPrincipalCommand({ thingName: 'demo_cert-1', principal: certificateArn }));
  const attached = await iot.send(new ListAttachedPoliciesCommand({ target: certificateArn }));
  expect(attached.policies?.map((each) => each.policyName)).toEqual(['p1']);
  expect((await iot.send(new ListThingPrincipalsCommand({ thingName: 'demo_cert-1' }))).principals).toEqual([
    certificateArn,
  ]);
  expect((await iot.send(new ListPrincipalThingsCommand({ principal: certificateArn }))).things).toEqual([
    'demo_cert-1',
  ]);
  await expect(iot.send(new DescribeCertificateCommand({ certificateId: 'abc' }))).rejects.toEqual(
    refusal('InvalidRequestException', /64 hexadecimal/),
  );
  const { certificates } = await iot.send(new ListCertificatesCommand({ pageSize: 250 }));
  expect(certificates?.map((each) => each.certificateId)).toContain(certificateId);

  await expect(iot.send(new DeleteThingCommand({ thingName: 'demo_cert-1' }))).rejects.toEqual(
    refusal('InvalidRequestException', /attached/),
  );
  await expect(iot.send(new DeleteCertificateCommand({ certificateId }))).rejects.toEqual(
    refusal('CertificateStateException', /ACTIVE/),
  );
  await iot.send(new UpdateCertificateCommand({ certificateId, newStatus: 'INACTIVE' }));
  await expect(iot.send(new DeleteCertificateCommand({ certificateId }))).rejects.toEqual(
    refusal('DeleteConflictException', /Things/),
  );
  await iot.send(new DetachThingPrincipalCommand({ thingName: 'demo_cert-1', principal: certificateArn }));
  await expect(iot.send(new DeleteCertificateCommand({ certificateId }))).rejects.toEqual(
    refusal('DeleteConflictException', /policies/),
  );
  await iot.send(new DetachPolicyCommand({ policyName: 'p1', target: certificateArn }));
  await iot.send(new DeleteCertificateCommand({ certificateId }));
  await expect(iot.send(new DescribeCertificateCommand({ certificateId }))).rejects.toEqual(
    refusal('ResourceNotFoundException', /does not exist/),
  );
});

test('a certificate of another CA is registered as it is, once; a broken CSR or PEM is refused', async () => {
  const { certificatePem } = await createIssuer(await makeAuthority('another')).withNewKey();
  const register = () =>
    iot.send(new RegisterCertificateWithoutCACommand({ certificatePem, status: 'ACTIVE' }));
  expect((await register()).certificateId).toMatch(/^[0-9a-f]{64}$/);
  await expect(register()).rejects.toEqual(refusal('ResourceAlreadyExistsException', /already registered/));
  await expect(
    iot.send(new RegisterCertificateWithoutCACommand({ certificatePem: 'nonsense' })),
  ).rejects.toEqual(refusal('CertificateValidationException', /not valid PEM/));
  await expect(
    iot.send(new CreateCertificateFromCsrCommand({ certificateSigningRequest: 'nonsense' })),
  ).rejects.toEqual(refusal('InvalidRequestException', /signing request/));
});

test('rules are kept only if the engine takes them', async () => {
  const topicRulePayload = { sql: "SELECT * FROM 'a/b'", actions: [] };
  await iot.send(new CreateTopicRuleCommand({ ruleName: 'mine', topicRulePayload }));
  await expect(iot.send(new CreateTopicRuleCommand({ ruleName: 'mine', topicRulePayload }))).rejects.toEqual(
    refusal('ResourceAlreadyExistsException', /mine/),
  );
  const unknown = { sql: "SELECT nosuch(1) FROM 'a/b'", actions: [] };
  await expect(
    iot.send(new ReplaceTopicRuleCommand({ ruleName: 'mine', topicRulePayload: unknown })),
  ).rejects.toEqual(refusal('SqlParseException', /not known/));
  expect((await iot.send(new GetTopicRuleCommand({ ruleName: 'mine' }))).rule).toMatchObject({
    ruleName: 'mine',
    sql: topicRulePayload.sql,
    ruleDisabled: false,
  });
  const listed = await iot.send(new ListTopicRulesCommand({}));
  expect(listed.rules).toMatchObject([{ ruleName: 'mine', topicPattern: 'a/b' }]);
  await iot.send(new DeleteTopicRuleCommand({ ruleName: 'mine' }));
  expect(rules.size).toBe(0);
});

test('what is not there says so by its name', async () => {
  await expect(iot.send(new ListJobsCommand({}))).rejects.toEqual(
    refusal('NotImplementedException', /does not have ListJobs/),
  );
  await expect(iot.send(new DescribeEndpointCommand({ endpointType: 'iot:Jobs' }))).rejects.toEqual(
    refusal('NotImplementedException', /iot:Jobs/),
  );
  await expect(
    iot.send(new CreateThingCommand({ thingName: 'billed', billingGroupName: 'b' })),
  ).rejects.toEqual(refusal('NotImplementedException', /billingGroupName of CreateThing/));
  const { endpointAddress } = await iot.send(new DescribeEndpointCommand({ endpointType: 'iot:Data-ATS' }));
  expect(`https://${endpointAddress}`).toBe(cloud.ready.https);
});

test('shadows over HTTPS: answers here, accepted, delta and documents to subscribers', async () => {
  const client = await cloud.connect(await cloud.device('demo_http'));
  const inbox = listen(client);
  const of = { thingName: 'demo_http', shadowName: 'role' };
  await client.subscribeAsync('$aws/things/demo_http/shadow/name/role/#');
  await expect(data.send(new GetThingShadowCommand(of))).rejects.toEqual(
    refusal('ResourceNotFoundException', /No shadow exists with name: 'demo_http~role'/),
  );
  const update = (document: object) =>
    data.send(new UpdateThingShadowCommand({ ...of, payload: JSON.stringify(document) }));
  const text = (payload: Uint8Array | undefined) => JSON.parse(Buffer.from(payload ?? []).toString());
  const accepted = text((await update({ state: { desired: { role: 'active' } } })).payload);
  expect(accepted).toMatchObject({ state: { desired: { role: 'active' } }, version: 1 });
  await inbox.until(3);
  expect(inbox.heard.map(({ topic }) => topic.split('/').slice(-2).join('/'))).toEqual([
    'update/accepted',
    'update/delta',
    'update/documents',
  ]);
  await expect(update({ state: {}, version: 9 })).rejects.toEqual(
    refusal('ConflictException', /Version conflict/),
  );
  await expect(update({ state: { desired: 1 } })).rejects.toEqual(
    refusal('InvalidRequestException', /Desired node must be an object/),
  );
  await expect(update({ state: { desired: { a: 'x'.repeat(9000) } } })).rejects.toEqual(
    refusal('RequestEntityTooLargeException', /maximum size/),
  );
  expect(text((await data.send(new GetThingShadowCommand(of))).payload)).toMatchObject({
    state: { desired: { role: 'active' }, delta: { role: 'active' } },
  });
  const named = await data.send(new ListNamedShadowsForThingCommand({ thingName: 'demo_http' }));
  expect(named.results).toEqual(['role']);
  expect(text((await data.send(new DeleteThingShadowCommand(of))).payload)).toMatchObject({ version: 1 });
  expect((await data.send(new ListNamedShadowsForThingCommand({ thingName: 'demo_http' }))).results).toEqual(
    [],
  );
  await expect(data.send(new ListNamedShadowsForThingCommand({ thingName: 'nobody' }))).rejects.toEqual(
    refusal('ResourceNotFoundException', /nobody/),
  );
});

test('publishing over HTTPS reaches subscribers and the retained messages', async () => {
  const client = await cloud.connect(await cloud.device('demo_reader'));
  const inbox = listen(client);
  await client.subscribeAsync('beam/demo/#', { qos: 1 });
  const topic = 'beam/demo/x y/+'.replace('/+', '');
  await data.send(new PublishCommand({ topic, payload: Buffer.from('hello'), qos: 1, retain: true }));
  expect(await inbox.until(1)).toMatchObject([{ topic, text: 'hello', qos: 1 }]);
  const kept = await data.send(new GetRetainedMessageCommand({ topic }));
  expect(Buffer.from(kept.payload ?? []).toString()).toBe('hello');
  await expect(data.send(new PublishCommand({ topic: 'a/+/b', payload: 'x' }))).rejects.toEqual(
    refusal('InvalidRequestException', /wildcards/),
  );
});

test('a request without a signature, with another key or secret, or changed on its way gets 403', async () => {
  const send = async (change: { accessKeyId?: string; secretAccessKey?: string }) => {
    const other = new IoTClient(clientOptions(change));
    return other.send(new ListThingsCommand({})).finally(() => other.destroy());
  };
  await expect(send({ secretAccessKey: 'not-the-secret' })).rejects.toMatchObject({
    name: 'InvalidSignatureException',
    $metadata: { httpStatusCode: 403 },
  });
  await expect(send({ accessKeyId: 'AKIASOMEBODYELSE' })).rejects.toMatchObject({
    name: 'UnrecognizedClientException',
    $metadata: { httpStatusCode: 403 },
  });

  const changed = new IoTClient(clientOptions());
  changed.middlewareStack.add(
    (next) => (args) => {
      Object.assign(args.request as object, { path: '/things/another' });
      return next(args);
    },
    { step: 'finalizeRequest', priority: 'low', name: 'change-after-signing' },
  );
  await expect(changed.send(new DescribeThingCommand({ thingName: 'demo_val-1' }))).rejects.toMatchObject({
    name: 'InvalidSignatureException',
  });
  changed.destroy();

  const refusalOf = (headers: Record<string, string>) =>
    new Promise<{ status: number | undefined; type: unknown }>((resolve, reject) => {
      const options = { ca: cloud.caPem, agent: false, headers };
      const sent = request(`${cloud.ready.https}/things`, options, (response) => {
        response.resume();
        resolve({ status: response.statusCode, type: response.headers['x-amzn-errortype'] });
      });
      sent.on('error', reject);
      sent.end();
    });
  expect(await refusalOf({})).toEqual({ status: 403, type: 'MissingAuthenticationTokenException' });
  const date = new Date().toISOString().replace(/[-:]|\.\d+/g, '');
  for (const name of ['not-sent', 'constructor', '__proto__']) {
    const scope = `${cloud.ready.accessKeyId}/${date.slice(0, 8)}/local/iot/aws4_request`;
    const authorization = `AWS4-HMAC-SHA256 Credential=${scope}, SignedHeaders=host;${name}, Signature=${'0'.repeat(64)}`;
    expect(await refusalOf({ 'x-amz-date': date, authorization })).toEqual({
      status: 403,
      type: 'InvalidSignatureException',
    });
  }
});
