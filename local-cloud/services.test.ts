/** SNS, SQS and EventBridge as AWS's own clients see them, and rules that reach them; real processes behind. */
import { verify, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { get } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { GetItemCommand } from '@aws-sdk/client-dynamodb';
import {
  DescribeRuleCommand,
  ListRulesCommand,
  ListTargetsByRuleCommand,
  PutRuleCommand,
  PutTargetsCommand,
} from '@aws-sdk/client-eventbridge';
import { CreateFunctionCommand, InvokeCommand, ListFunctionsCommand } from '@aws-sdk/client-lambda';
import {
  CreateTopicCommand,
  GetSubscriptionAttributesCommand,
  GetTopicAttributesCommand,
  ListSubscriptionsByTopicCommand,
  ListTopicsCommand,
  PublishCommand,
  SetTopicAttributesCommand,
  SubscribeCommand,
} from '@aws-sdk/client-sns';
import {
  ChangeMessageVisibilityCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SendMessageCommand,
} from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { issueFromCsr, makeAuthority } from '../certs-scripts/ca.ts';
import { createCsr } from '../certs-scripts/csr.ts';
import { makeDeviceKey } from '../certs-scripts/device-key.ts';
import { registerAuthority } from '../certs-scripts/register-authority.ts';
import { makeCloudFolder } from './cloud-fixture.ts';
import {
  account,
  eventually,
  json,
  openServices,
  roleArn,
  type ServicesCloud,
  zipOf,
} from './services-fixture.ts';

let dir: string;
let cloud: ServicesCloud;

beforeAll(async () => {
  dir = await makeCloudFolder();
  cloud = await openServices(dir);
}, 60_000);

afterAll(async () => {
  await cloud.stop();
  rmSync(dir, { recursive: true, force: true });
});

test('a rule writes an item, sends to a queue, and publishes to a topic whose queue gets it', async () => {
  const direct = await cloud.queue('direct');
  const subscribed = await cloud.queue('subscribed');
  const { TopicArn = '' } = await cloud.sns.send(new CreateTopicCommand({ Name: 'alerts' }));
  await cloud.sns.send(new SubscribeCommand({ TopicArn, Protocol: 'sqs', Endpoint: subscribed.arn }));
  await cloud.rule('fan', "SELECT 'demo' AS fleet, topic(2) AS item, n FROM 'fan/+'", [
    { dynamoDBv2: { roleArn, putItem: { tableName: 'beam-fleet' } } },
    { sqs: { roleArn, queueUrl: direct.url } },
    { sns: { roleArn, targetArn: TopicArn } },
  ]);
  await cloud.publish('fan/one', { n: 5 });
  const selected = { fleet: 'demo', item: 'one', n: 5 };
  expect(JSON.parse((await cloud.receive(direct.url))?.Body ?? '')).toEqual(selected);
  const envelope = JSON.parse((await cloud.receive(subscribed.url))?.Body ?? '');
  expect(envelope).toMatchObject({ Type: 'Notification', TopicArn, Message: JSON.stringify(selected) });
  const item = await eventually(async () => {
    const Key = { fleet: { S: 'demo' }, item: { S: 'one' } };
    return (
      await cloud.dynamodb.send(new GetItemCommand({ TableName: 'beam-fleet', Key, ConsistentRead: true }))
    ).Item;
  });
  expect(item).toEqual({ fleet: { S: 'demo' }, item: { S: 'one' }, n: { N: '5' } });
});

test('a rule hears of a certificate that registers just in time', async () => {
  const { url } = await cloud.queue('registered');
  await cloud.rule(
    'registered',
    "SELECT *, topic(5) AS authority FROM '$aws/events/certificates/registered/#'",
    [{ sqs: { queueUrl: url, roleArn } }],
  );
  const authority = await makeAuthority('rules');
  const { certificateId } = await registerAuthority(cloud.iot, authority, {
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
  const message = JSON.parse((await cloud.receive(url))?.Body ?? '');
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
    get(link, { agent: cloud.agent }, async (response) => {
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
  const { TopicArn = '' } = await cloud.sns.send(
    new CreateTopicCommand({ Name: 'hooked', Attributes: { DisplayName: 'H' } }),
  );
  await cloud.sns.send(new SubscribeCommand({ TopicArn, Protocol: 'http', Endpoint: endpoint }));
  await cloud.sns.send(new SubscribeCommand({ TopicArn, Protocol: 'email', Endpoint: 'ops@example.org' }));
  await eventually(() => heard[0]);
  expect(heard[0]?.type).toBe('SubscriptionConfirmation');
  await expectSigned(heard[0]?.body ?? {}, '1');
  const link = heard[0]?.body.SubscribeURL ?? '';
  const status = await new Promise((resolve) =>
    get(link, { agent: cloud.agent }, (response) => resolve(response.statusCode)),
  );
  expect(status).toBe(200);

  const setVersion = (AttributeValue: string) =>
    cloud.sns.send(
      new SetTopicAttributesCommand({ TopicArn, AttributeName: 'SignatureVersion', AttributeValue }),
    );
  await expect(setVersion('3')).rejects.toMatchObject({ name: 'InvalidParameterException' });
  await setVersion('2');
  await cloud.sns.send(
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

  const { Attributes } = await cloud.sns.send(new GetTopicAttributesCommand({ TopicArn }));
  expect(Attributes).toMatchObject({
    DisplayName: 'H',
    SubscriptionsConfirmed: '2',
    SubscriptionsPending: '0',
  });
  await expect(
    cloud.sns.send(new PublishCommand({ TopicArn: `${TopicArn}x`, Message: 'm' })),
  ).rejects.toMatchObject({
    name: 'NotFoundException',
  });
});

test('SQS: messages are sent, received, given more time, and deleted; what is received too often goes to the dead', async () => {
  const graves = await cloud.queue('graves');
  const { url } = await cloud.queue('work', {
    VisibilityTimeout: '0',
    RedrivePolicy: JSON.stringify({ deadLetterTargetArn: graves.arn, maxReceiveCount: 2 }),
  });
  const { Successful } = await cloud.sqs.send(
    new SendMessageBatchCommand({
      QueueUrl: url,
      Entries: [
        { Id: 'a', MessageBody: 'one', MessageAttributes: { k: { DataType: 'Number', StringValue: '1' } } },
        { Id: 'b', MessageBody: 'later', DelaySeconds: 900 },
      ],
    }),
  );
  expect(Successful).toHaveLength(2);
  const first = await cloud.receive(url);
  expect(first).toMatchObject({ Body: 'one', MessageAttributes: { k: { StringValue: '1' } } });
  const second = await cloud.receive(url);
  expect(second).toMatchObject({ Body: 'one', Attributes: { ApproximateReceiveCount: '2' } });
  expect(await cloud.receive(url, 0)).toBeUndefined();
  const buried = await cloud.receive(graves.url);
  expect(buried?.Body).toBe('one');
  const ReceiptHandle = buried?.ReceiptHandle ?? '';
  await cloud.sqs.send(
    new ChangeMessageVisibilityCommand({ QueueUrl: graves.url, ReceiptHandle, VisibilityTimeout: 60 }),
  );
  const counts = async (QueueUrl: string) =>
    (await cloud.sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] }))).Attributes;
  expect(await counts(graves.url)).toMatchObject({ ApproximateNumberOfMessagesNotVisible: '1' });
  await cloud.sqs.send(new DeleteMessageCommand({ QueueUrl: graves.url, ReceiptHandle }));
  expect(await counts(graves.url)).toMatchObject({ ApproximateNumberOfMessagesNotVisible: '0' });
  expect(await counts(url)).toMatchObject({
    ApproximateNumberOfMessages: '0',
    ApproximateNumberOfMessagesDelayed: '1',
  });
  await expect(cloud.sqs.send(new GetQueueUrlCommand({ QueueName: 'none' }))).rejects.toMatchObject({
    name: 'QueueDoesNotExist',
  });
});

test("input that does not fit is called what each service's clients know it by", async () => {
  const { url } = await cloud.queue('strict');
  const topic = await cloud.sns.send(new CreateTopicCommand({ Name: 'strict' }));
  const name = async (asked: Promise<unknown>) =>
    asked.then(
      () => 'taken',
      (error: Error) => error.name,
    );
  expect({
    token: await name(cloud.sns.send(new ListTopicsCommand({ NextToken: 'x' }))),
    protocol: await name(
      cloud.sns.send(new SubscribeCommand({ TopicArn: topic.TopicArn, Protocol: 'carrier-pigeon' })),
    ),
    messages: await name(
      cloud.sqs.send(new ReceiveMessageCommand({ QueueUrl: url, MaxNumberOfMessages: 11 })),
    ),
    control: await name(cloud.sqs.send(new SendMessageCommand({ QueueUrl: url, MessageBody: 'a\u0000b' }))),
    large: await name(
      cloud.sqs.send(new SendMessageCommand({ QueueUrl: url, MessageBody: 'x'.repeat(1_048_576) })),
    ),
    larger: await name(
      cloud.sqs.send(new SendMessageCommand({ QueueUrl: url, MessageBody: 'x'.repeat(1_048_577) })),
    ),
    marker: await name(cloud.lambda.send(new ListFunctionsCommand({ Marker: 'x' }))),
    version: await name(cloud.lambda.send(new InvokeCommand({ FunctionName: 'any', Qualifier: '7' }))),
    limit: await name(cloud.events.send(new ListRulesCommand({ Limit: 101 }))),
  }).toEqual({
    token: 'InvalidParameterException',
    protocol: 'InvalidParameterException',
    messages: 'InvalidParameterValue',
    control: 'InvalidMessageContents',
    large: 'taken',
    larger: 'InvalidParameterValue',
    marker: 'InvalidParameterValueException',
    version: 'ResourceNotFoundException',
    limit: 'ValidationException',
  });
});

test('EventBridge: schedules with targets; what is no schedule is refused', async () => {
  const { RuleArn } = await cloud.events.send(
    new PutRuleCommand({ Name: 'nightly', ScheduleExpression: 'cron(0 2 * * ? *)' }),
  );
  expect(RuleArn).toBe(`arn:aws:events:local:${account}:rule/nightly`);
  await cloud.events.send(
    new PutTargetsCommand({
      Rule: 'nightly',
      Targets: [{ Id: 'q', Arn: `arn:aws:sqs:local:${account}:direct`, Input: '{"a":1}' }],
    }),
  );
  const { Targets } = await cloud.events.send(new ListTargetsByRuleCommand({ Rule: 'nightly' }));
  expect(Targets).toEqual([{ Id: 'q', Arn: `arn:aws:sqs:local:${account}:direct`, Input: '{"a":1}' }]);
  await expect(
    cloud.events.send(new PutRuleCommand({ Name: 'bad', ScheduleExpression: 'rate(1 minutes)' })),
  ).rejects.toMatchObject({ name: 'ValidationException' });
  await expect(cloud.events.send(new DescribeRuleCommand({ Name: 'bad' }))).rejects.toMatchObject({
    name: 'ResourceNotFoundException',
  });
});

test('all of it is there again after a restart, code, messages and pending deliveries too', async () => {
  const { url } = await cloud.queue('kept');
  await cloud.sqs.send(new SendMessageCommand({ QueueUrl: url, MessageBody: 'kept' }));
  const { TopicArn = '' } = await cloud.sns.send(new CreateTopicCommand({ Name: 'alerts' }));
  await cloud.lambda.send(
    new CreateFunctionCommand({
      FunctionName: 'kept',
      Role: roleArn,
      Runtime: 'nodejs20.x',
      Handler: 'index.handler',
      Code: { ZipFile: zipOf('exports.handler = async () => 42;') },
    }),
  );
  await cloud.stop();
  rmSync(join(dir, 'data/functions'), { recursive: true });
  cloud = await openServices(dir);
  const { QueueUrl = '' } = await cloud.sqs.send(new GetQueueUrlCommand({ QueueName: 'kept' }));
  expect((await cloud.receive(QueueUrl))?.Body).toBe('kept');
  const { Payload } = await cloud.lambda.send(new InvokeCommand({ FunctionName: 'kept' }));
  expect(json(Payload)).toBe(42);
  const { Topics = [] } = await cloud.sns.send(new ListTopicsCommand({}));
  expect(Topics.map((topic) => topic.TopicArn)).toContain(TopicArn);
  const { Subscriptions = [] } = await cloud.sns.send(new ListSubscriptionsByTopicCommand({ TopicArn }));
  expect(Subscriptions).toHaveLength(1);
  const { Attributes } = await cloud.sns.send(
    new GetSubscriptionAttributesCommand({ SubscriptionArn: Subscriptions[0]?.SubscriptionArn }),
  );
  expect(Attributes).toMatchObject({ PendingConfirmation: 'false', RawMessageDelivery: 'false' });
  const { State } = await cloud.events.send(new DescribeRuleCommand({ Name: 'nightly' }));
  expect(State).toBe('ENABLED');
});
