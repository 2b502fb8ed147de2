/** Lambda, SNS, SQS and EventBridge as AWS's own clients see them, and rules that reach them; real processes behind. */
import { verify, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { Agent, get } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { DynamoDBClient, GetItemCommand } from '@aws-sdk/client-dynamodb';
import {
  DescribeRuleCommand,
  EventBridgeClient,
  ListTargetsByRuleCommand,
  PutRuleCommand,
  PutTargetsCommand,
} from '@aws-sdk/client-eventbridge';
import { CreateTopicRuleCommand, IoTClient } from '@aws-sdk/client-iot';
import { IoTDataPlaneClient, PublishCommand as PublishMqtt } from '@aws-sdk/client-iot-data-plane';
import {
  AddPermissionCommand,
  CreateFunctionCommand,
  DeleteFunctionCommand,
  GetFunctionCommand,
  GetPolicyCommand,
  InvokeCommand,
  LambdaClient,
  ListFunctionsCommand,
  PutFunctionEventInvokeConfigCommand,
  UpdateFunctionCodeCommand,
  UpdateFunctionConfigurationCommand,
} from '@aws-sdk/client-lambda';
import {
  CreateTopicCommand,
  GetSubscriptionAttributesCommand,
  GetTopicAttributesCommand,
  ListSubscriptionsByTopicCommand,
  ListTopicsCommand,
  PublishCommand,
  SetTopicAttributesCommand,
  SNSClient,
  SubscribeCommand,
} from '@aws-sdk/client-sns';
import {
  ChangeMessageVisibilityCommand,
  CreateQueueCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { zipSync } from 'fflate';
import { issueFromCsr, makeAuthority } from '../certs-scripts/ca.ts';
import { createCsr } from '../certs-scripts/csr.ts';
import { makeDeviceKey } from '../certs-scripts/device-key.ts';
import { registerAuthority } from '../certs-scripts/register-authority.ts';
import type { Cloud } from './cloud.ts';
import { makeCloudFolder, startEmptyCloud } from './cloud-fixture.ts';

let dir: string;
let cloud: Cloud;
let lambda: LambdaClient;
let sns: SNSClient;
let sqs: SQSClient;
let events: EventBridgeClient;
let iot: IoTClient;
let iotData: IoTDataPlaneClient;
let dynamodb: DynamoDBClient;
let agent: Agent;

const account = '000000000000';
const role = `arn:aws:iam::${account}:role/any`;
const zipOf = (code: string, file = 'index.js') => zipSync({ [file]: Buffer.from(code) });
const json = (bytes: Uint8Array | undefined) => JSON.parse(Buffer.from(bytes ?? []).toString() || 'null');

async function open(): Promise<void> {
  cloud = await startEmptyCloud(dir);
  const { https, ca, accessKeyId, secretAccessKey, region } = cloud.ready;
  agent = new Agent({ ca: readFileSync(ca), keepAlive: true });
  const settings = {
    endpoint: https,
    region,
    credentials: { accessKeyId, secretAccessKey },
    maxAttempts: 1,
    requestHandler: new NodeHttpHandler({ httpsAgent: agent }),
  };
  lambda = new LambdaClient(settings);
  sns = new SNSClient(settings);
  sqs = new SQSClient(settings);
  events = new EventBridgeClient(settings);
  iot = new IoTClient(settings);
  iotData = new IoTDataPlaneClient(settings);
  dynamodb = new DynamoDBClient(settings);
}

async function shut(): Promise<void> {
  await cloud.stop();
  agent.destroy();
}

beforeAll(async () => {
  dir = await makeCloudFolder();
  await open();
}, 60_000);

afterAll(async () => {
  await shut();
  rmSync(dir, { recursive: true, force: true });
});

async function queue(name: string, attributes: Record<string, string> = {}) {
  const { QueueUrl = '' } = await sqs.send(
    new CreateQueueCommand({ QueueName: name, Attributes: attributes }),
  );
  return { url: QueueUrl, arn: `arn:aws:sqs:local:${account}:${name}` };
}

async function receive(url: string, seconds = 5) {
  const { Messages = [] } = await sqs.send(
    new ReceiveMessageCommand({
      QueueUrl: url,
      WaitTimeSeconds: seconds,
      MessageAttributeNames: ['All'],
      MessageSystemAttributeNames: ['All'],
    }),
  );
  return Messages[0];
}

const publish = (topic: string, payload: object) =>
  iotData.send(new PublishMqtt({ topic, payload: Buffer.from(JSON.stringify(payload)) }));

const rule = (name: string, sql: string, actions: object[], errorAction?: object) =>
  iot.send(
    new CreateTopicRuleCommand({
      ruleName: name,
      topicRulePayload: {
        sql,
        awsIotSqlVersion: '2016-03-23',
        actions: actions as [],
        ...(errorAction && { errorAction: errorAction as never }),
      },
    }),
  );

test('Lambda: a function from a zip is made, invoked, changed, and removed', async () => {
  const created = await lambda.send(
    new CreateFunctionCommand({
      FunctionName: 'first',
      Role: role,
      Runtime: 'nodejs20.x',
      Handler: 'index.handler',
      Code: { ZipFile: zipOf('exports.handler = async (e) => ({ e, colour: process.env.COLOUR });') },
      Environment: { Variables: { COLOUR: 'green' } },
    }),
  );
  expect(created).toMatchObject({
    FunctionArn: `arn:aws:lambda:local:${account}:function:first`,
    State: 'Active',
    Timeout: 3,
    MemorySize: 128,
  });
  const invoke = async (payload: unknown) =>
    lambda.send(
      new InvokeCommand({
        FunctionName: 'first',
        Payload: Buffer.from(JSON.stringify(payload)),
        LogType: 'Tail',
      }),
    );
  const answer = await invoke({ n: 1 });
  expect(json(answer.Payload)).toEqual({ e: { n: 1 }, colour: 'green' });
  expect(Buffer.from(answer.LogResult ?? '', 'base64').toString()).toMatch(
    /^START RequestId: .*END RequestId/s,
  );

  const code = "export const handler = async () => { console.log('seen'); throw new RangeError('no'); };";
  const updated = await lambda.send(
    new UpdateFunctionCodeCommand({ FunctionName: 'first', ZipFile: zipOf(code, 'index.mjs') }),
  );
  expect(updated.CodeSha256).not.toBe(created.CodeSha256);
  const failed = await invoke({});
  expect(failed.FunctionError).toBe('Unhandled');
  expect(json(failed.Payload)).toMatchObject({ errorType: 'RangeError', errorMessage: 'no' });
  expect(Buffer.from(failed.LogResult ?? '', 'base64').toString()).toMatch(/INFO\tseen/);

  await lambda.send(new UpdateFunctionConfigurationCommand({ FunctionName: 'first', Timeout: 7 }));
  const got = await lambda.send(new GetFunctionCommand({ FunctionName: created.FunctionArn }));
  expect(got.Configuration).toMatchObject({
    Timeout: 7,
    CodeSha256: updated.CodeSha256,
    Environment: { Variables: { COLOUR: 'green' } },
  });
  const { Functions = [] } = await lambda.send(new ListFunctionsCommand({}));
  expect(Functions.map(({ FunctionName }) => FunctionName)).toEqual(['first']);
  await lambda.send(new DeleteFunctionCommand({ FunctionName: 'first' }));
  await expect(invoke({})).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
});

test.each([
  [
    'no zip',
    { Code: { ZipFile: Buffer.from('not a zip') } },
    'InvalidParameterValueException',
    /Could not unzip/,
  ],
  [
    'a file outside',
    { Code: { ZipFile: zipSync({ '../../x.js': Buffer.from('1') }) } },
    'InvalidParameterValueException',
    /lie elsewhere/,
  ],
  ['another language', { Runtime: 'python3.12' as const }, 'NotImplementedException', /runtime python3\.12/],
  ['layers', { Layers: ['arn:x'] }, 'InvalidRequestException', /no layers/],
  ['a network', { VpcConfig: { SubnetIds: ['s'] } }, 'NotImplementedException', /VpcConfig/],
  [
    'a reserved variable',
    { Environment: { Variables: { AWS_REGION: 'x' } } },
    'InvalidParameterValueException',
    /reserved/,
  ],
])('CreateFunction refuses %s', async (_, more, name, message) => {
  const input = {
    FunctionName: 'bad',
    Role: role,
    Runtime: 'nodejs20.x' as const,
    Handler: 'index.handler',
    Code: { ZipFile: zipOf('') },
  };
  await expect(lambda.send(new CreateFunctionCommand({ ...input, ...more }))).rejects.toMatchObject({
    name,
    message: expect.stringMatching(message),
  });
});

test('an event that fails for good becomes a dead letter in a queue', async () => {
  const dead = await queue('dead');
  await lambda.send(
    new CreateFunctionCommand({
      FunctionName: 'failing',
      Role: role,
      Runtime: 'nodejs20.x',
      Handler: 'index.handler',
      Code: { ZipFile: zipOf("exports.handler = async () => { throw new Error('never'); };") },
      DeadLetterConfig: { TargetArn: dead.arn },
    }),
  );
  await lambda.send(
    new PutFunctionEventInvokeConfigCommand({ FunctionName: 'failing', MaximumRetryAttempts: 0 }),
  );
  const { StatusCode } = await lambda.send(
    new InvokeCommand({ FunctionName: 'failing', InvocationType: 'Event', Payload: Buffer.from('{"x":1}') }),
  );
  expect(StatusCode).toBe(202);
  const letter = await receive(dead.url);
  expect(letter?.Body).toBe('{"x":1}');
  expect(letter?.MessageAttributes).toMatchObject({
    ErrorMessage: { StringValue: 'never' },
    ErrorCode: { StringValue: '200', DataType: 'Number' },
    RequestID: { StringValue: expect.stringMatching(/^[0-9a-f-]{36}$/) },
  });
});

test("a rule invokes a function only where the function's policy lets it", async () => {
  const failures = await queue('rule-failures');
  const FunctionArn = (
    await lambda.send(
      new CreateFunctionCommand({
        FunctionName: 'ruled',
        Role: role,
        Runtime: 'nodejs20.x',
        Handler: 'index.handler',
        Code: {
          ZipFile: zipOf(`
            const { writeFileSync } = require('node:fs');
            exports.handler = async (event) => writeFileSync(event.file, JSON.stringify(event));`),
        },
      }),
    )
  ).FunctionArn;
  const roleArn = role;
  await rule(
    'ruled',
    "SELECT *, topic(2) AS who FROM 'ruled/+'",
    [{ lambda: { functionArn: FunctionArn } }],
    { sqs: { roleArn, queueUrl: failures.url } },
  );
  const file = join(dir, 'ruled.json');
  await publish('ruled/a', { file });
  const failure = JSON.parse((await receive(failures.url))?.Body ?? '{}');
  expect(failure).toMatchObject({
    ruleName: 'ruled',
    topic: 'ruled/a',
    failures: [{ failedAction: 'LambdaAction', failedResource: FunctionArn }],
  });
  expect(failure.failures[0].errorMessage).toMatch(/iot\.amazonaws\.com may not invoke ruled/);

  await lambda.send(
    new AddPermissionCommand({
      FunctionName: 'ruled',
      StatementId: 'rule',
      Action: 'lambda:InvokeFunction',
      Principal: 'iot.amazonaws.com',
      SourceArn: `arn:aws:iot:local:${account}:rule/rul*`,
    }),
  );
  const { Policy = '' } = await lambda.send(new GetPolicyCommand({ FunctionName: 'ruled' }));
  expect(JSON.parse(Policy).Statement).toHaveLength(1);
  await publish('ruled/b', { file });
  const written = await eventually(() => readFileSync(file, 'utf8'));
  expect(JSON.parse(written)).toEqual({ file, who: 'b' });
});

async function eventually<T>(read: () => T | Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      const value = await read();
      if (value !== undefined) return value;
      throw new Error('nothing yet');
    } catch (error) {
      if (attempt === 300) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

test('a rule writes an item, sends to a queue, and publishes to a topic whose queue gets it', async () => {
  const direct = await queue('direct');
  const subscribed = await queue('subscribed');
  const { TopicArn = '' } = await sns.send(new CreateTopicCommand({ Name: 'alerts' }));
  await sns.send(new SubscribeCommand({ TopicArn, Protocol: 'sqs', Endpoint: subscribed.arn }));
  await rule('fan', "SELECT 'demo' AS fleet, topic(2) AS item, n FROM 'fan/+'", [
    { dynamoDBv2: { roleArn: role, putItem: { tableName: 'beam-fleet' } } },
    { sqs: { roleArn: role, queueUrl: direct.url } },
    { sns: { roleArn: role, targetArn: TopicArn } },
  ]);
  await publish('fan/one', { n: 5 });
  const selected = { fleet: 'demo', item: 'one', n: 5 };
  expect(JSON.parse((await receive(direct.url))?.Body ?? '')).toEqual(selected);
  const envelope = JSON.parse((await receive(subscribed.url))?.Body ?? '');
  expect(envelope).toMatchObject({ Type: 'Notification', TopicArn, Message: JSON.stringify(selected) });
  const item = await eventually(async () => {
    const Key = { fleet: { S: 'demo' }, item: { S: 'one' } };
    return (await dynamodb.send(new GetItemCommand({ TableName: 'beam-fleet', Key, ConsistentRead: true })))
      .Item;
  });
  expect(item).toEqual({ fleet: { S: 'demo' }, item: { S: 'one' }, n: { N: '5' } });
});

test('a rule hears of a certificate that registers just in time', async () => {
  const { url } = await queue('registered');
  await rule('registered', "SELECT *, topic(5) AS authority FROM '$aws/events/certificates/registered/#'", [
    { sqs: { queueUrl: url, roleArn: role } },
  ]);
  const authority = await makeAuthority('rules');
  const { certificateId } = await registerAuthority(iot, authority, {
    mode: 'SNI_ONLY',
    justInTime: 'register',
  });
  const key = makeDeviceKey();
  const cert = await issueFromCsr(authority, await createCsr(key, 'any'));
  const [, port] = cloud.ready.mqtt.split(':');
  const socket = connect({
    host: 'localhost',
    port: Number(port),
    servername: 'localhost',
    ca: readFileSync(cloud.ready.ca),
    key,
    cert,
  });
  socket.on('error', () => undefined);
  await once(socket, 'close');
  const message = JSON.parse((await receive(url))?.Body ?? '');
  expect(message).toMatchObject({
    authority: certificateId,
    caCertificateId: certificateId,
    certificateStatus: 'PENDING_ACTIVATION',
  });
});

/** As AWS's guide tells receivers to: the certificate by its link, the members in the order of their names. */
async function expectSigned(body: Record<string, string>, version: '1' | '2'): Promise<void> {
  const link = body.SigningCertURL ?? '';
  expect(new URL(link).origin).toBe(cloud.ready.https);
  const certificate = await new Promise<string>((resolve) =>
    get(link, { agent }, async (response) => {
      let text = '';
      for await (const chunk of response) text += chunk;
      resolve(text);
    }),
  );
  const { publicKey, issuer } = new X509Certificate(certificate);
  expect(issuer).toBe('CN=Beam local cloud CA');
  const names = ['Message', 'MessageId', 'Subject', 'SubscribeURL', 'Timestamp', 'Token', 'TopicArn', 'Type'];
  const text = names
    .flatMap((name) => (body[name] === undefined ? [] : [`${name}\n${body[name]}\n`]))
    .join('');
  const signature = Buffer.from(body.Signature ?? '', 'base64');
  expect(body.SignatureVersion).toBe(version);
  const isRight = (signedText: string) =>
    verify(version === '2' ? 'RSA-SHA256' : 'RSA-SHA1', Buffer.from(signedText), publicKey, signature);
  expect([isRight(text), isRight(`${text}x`)]).toEqual([true, false]);
}

test('SNS: an HTTP endpoint confirms by the link, then gets notifications; a mail is a line in a file', async () => {
  const heard: { type: string; body: Record<string, string> }[] = [];
  const server: Server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on('end', () => {
      heard.push({ type: String(request.headers['x-amz-sns-message-type']), body: JSON.parse(body) });
      response.end();
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
  const { TopicArn = '' } = await sns.send(
    new CreateTopicCommand({ Name: 'hooked', Attributes: { DisplayName: 'H' } }),
  );
  await sns.send(new SubscribeCommand({ TopicArn, Protocol: 'http', Endpoint: endpoint }));
  await sns.send(new SubscribeCommand({ TopicArn, Protocol: 'email', Endpoint: 'ops@example.org' }));
  await eventually(() => heard[0]);
  expect(heard[0]?.type).toBe('SubscriptionConfirmation');
  await expectSigned(heard[0]?.body ?? {}, '1');
  const link = heard[0]?.body.SubscribeURL ?? '';
  const status = await new Promise((resolve) =>
    get(link, { agent }, (response) => resolve(response.statusCode)),
  );
  expect(status).toBe(200);

  const setVersion = (AttributeValue: string) =>
    sns.send(new SetTopicAttributesCommand({ TopicArn, AttributeName: 'SignatureVersion', AttributeValue }));
  await expect(setVersion('3')).rejects.toMatchObject({ name: 'InvalidParameterException' });
  await setVersion('2');
  await sns.send(
    new PublishCommand({
      TopicArn,
      Subject: 'S',
      MessageStructure: 'json',
      Message: JSON.stringify({ default: 'all', http: 'for <http> & "co"' }),
      MessageAttributes: { kind: { DataType: 'String', StringValue: 'x' } },
    }),
  );
  await eventually(() => heard[1]);
  await expectSigned(heard[1]?.body ?? {}, '2');
  server.close();
  expect(heard[1]).toMatchObject({
    type: 'Notification',
    body: {
      Subject: 'S',
      Message: 'for <http> & "co"',
      MessageAttributes: { kind: { Type: 'String', Value: 'x' } },
    },
  });
  const mail = await eventually(() => readFileSync(join(dir, 'data/logs/sns.log'), 'utf8'));
  expect(JSON.parse(mail)).toMatchObject({ protocol: 'email', endpoint: 'ops@example.org', message: 'all' });

  const { Attributes } = await sns.send(new GetTopicAttributesCommand({ TopicArn }));
  expect(Attributes).toMatchObject({
    DisplayName: 'H',
    SubscriptionsConfirmed: '2',
    SubscriptionsPending: '0',
  });
  await expect(
    sns.send(new PublishCommand({ TopicArn: `${TopicArn}x`, Message: 'm' })),
  ).rejects.toMatchObject({
    name: 'NotFoundException',
  });
});

test('SQS: messages are sent, received, given more time, and deleted; what is received too often goes to the dead', async () => {
  const graves = await queue('graves');
  const { url } = await queue('work', {
    VisibilityTimeout: '0',
    RedrivePolicy: JSON.stringify({ deadLetterTargetArn: graves.arn, maxReceiveCount: 2 }),
  });
  const { Successful } = await sqs.send(
    new SendMessageBatchCommand({
      QueueUrl: url,
      Entries: [
        { Id: 'a', MessageBody: 'one', MessageAttributes: { k: { DataType: 'Number', StringValue: '1' } } },
        { Id: 'b', MessageBody: 'later', DelaySeconds: 900 },
      ],
    }),
  );
  expect(Successful).toHaveLength(2);
  const first = await receive(url);
  expect(first).toMatchObject({ Body: 'one', MessageAttributes: { k: { StringValue: '1' } } });
  const second = await receive(url);
  expect(second).toMatchObject({ Body: 'one', Attributes: { ApproximateReceiveCount: '2' } });
  expect(await receive(url, 0)).toBeUndefined();
  const buried = await receive(graves.url);
  expect(buried?.Body).toBe('one');
  const ReceiptHandle = buried?.ReceiptHandle ?? '';
  await sqs.send(
    new ChangeMessageVisibilityCommand({ QueueUrl: graves.url, ReceiptHandle, VisibilityTimeout: 60 }),
  );
  const counts = async (QueueUrl: string) =>
    (await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] }))).Attributes;
  expect(await counts(graves.url)).toMatchObject({ ApproximateNumberOfMessagesNotVisible: '1' });
  await sqs.send(new DeleteMessageCommand({ QueueUrl: graves.url, ReceiptHandle }));
  expect(await counts(graves.url)).toMatchObject({ ApproximateNumberOfMessagesNotVisible: '0' });
  expect(await counts(url)).toMatchObject({
    ApproximateNumberOfMessages: '0',
    ApproximateNumberOfMessagesDelayed: '1',
  });
  await expect(sqs.send(new GetQueueUrlCommand({ QueueName: 'none' }))).rejects.toMatchObject({
    name: 'QueueDoesNotExist',
  });
});

test('EventBridge: schedules with targets; what is no schedule is refused', async () => {
  const { RuleArn } = await events.send(
    new PutRuleCommand({ Name: 'nightly', ScheduleExpression: 'cron(0 2 * * ? *)' }),
  );
  expect(RuleArn).toBe(`arn:aws:events:local:${account}:rule/nightly`);
  await events.send(
    new PutTargetsCommand({
      Rule: 'nightly',
      Targets: [{ Id: 'q', Arn: `arn:aws:sqs:local:${account}:direct`, Input: '{"a":1}' }],
    }),
  );
  const { Targets } = await events.send(new ListTargetsByRuleCommand({ Rule: 'nightly' }));
  expect(Targets).toEqual([{ Id: 'q', Arn: `arn:aws:sqs:local:${account}:direct`, Input: '{"a":1}' }]);
  await expect(
    events.send(new PutRuleCommand({ Name: 'bad', ScheduleExpression: 'rate(1 minutes)' })),
  ).rejects.toMatchObject({ name: 'ValidationException' });
  await expect(events.send(new DescribeRuleCommand({ Name: 'bad' }))).rejects.toMatchObject({
    name: 'ResourceNotFoundException',
  });
});

test('all of it is there again after a restart, code, messages and pending deliveries too', async () => {
  const { url } = await queue('kept');
  await sqs.send(new SendMessageCommand({ QueueUrl: url, MessageBody: 'kept' }));
  const { TopicArn = '' } = await sns.send(new CreateTopicCommand({ Name: 'alerts' }));
  await lambda.send(
    new CreateFunctionCommand({
      FunctionName: 'kept',
      Role: role,
      Runtime: 'nodejs20.x',
      Handler: 'index.handler',
      Code: { ZipFile: zipOf('exports.handler = async () => 42;') },
    }),
  );
  await shut();
  rmSync(join(dir, 'data/functions'), { recursive: true });
  await open();
  const { QueueUrl = '' } = await sqs.send(new GetQueueUrlCommand({ QueueName: 'kept' }));
  expect((await receive(QueueUrl))?.Body).toBe('kept');
  const { Payload } = await lambda.send(new InvokeCommand({ FunctionName: 'kept' }));
  expect(json(Payload)).toBe(42);
  const { Topics = [] } = await sns.send(new ListTopicsCommand({}));
  expect(Topics.map((topic) => topic.TopicArn)).toContain(TopicArn);
  const { Subscriptions = [] } = await sns.send(new ListSubscriptionsByTopicCommand({ TopicArn }));
  expect(Subscriptions).toHaveLength(1);
  const { Attributes } = await sns.send(
    new GetSubscriptionAttributesCommand({ SubscriptionArn: Subscriptions[0]?.SubscriptionArn }),
  );
  expect(Attributes).toMatchObject({ PendingConfirmation: 'false', RawMessageDelivery: 'false' });
  const { State } = await events.send(new DescribeRuleCommand({ Name: 'nightly' }));
  expect(State).toBe('ENABLED');
});
