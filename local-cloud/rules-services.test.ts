/** Rules that ask other services and speak MQTT 5, as AWS's own clients see them. */
import { rmSync } from 'node:fs';
import { CreateTableCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { CreateThingCommand } from '@aws-sdk/client-iot';
import { PublishCommand } from '@aws-sdk/client-iot-data-plane';
import { AddPermissionCommand, CreateFunctionCommand } from '@aws-sdk/client-lambda';
import { CreateQueueCommand, ReceiveMessageCommand } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { makeCloudFolder } from './cloud-fixture.ts';
import { openServices, roleArn, type ServicesCloud, zipOf } from './services-fixture.ts';

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

const hole = (expression: string) => `\${${expression}}`;

test('a rule asks a function, a table and the registry, and republishes with headers that the next rule reads', async () => {
  const { lambda, sqs, iot, iotData, dynamodb, rule } = cloud;
  await iot.send(
    new CreateThingCommand({ thingName: 'dev1', attributePayload: { attributes: { zone: 'a' } } }),
  );
  await dynamodb.send(
    new CreateTableCommand({
      TableName: 'places',
      KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
      AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'N' }],
      BillingMode: 'PAY_PER_REQUEST',
    }),
  );
  // The table is there a moment later.
  const put = () =>
    dynamodb
      .send(new PutItemCommand({ TableName: 'places', Item: { id: { N: '3' }, name: { S: 'here' } } }))
      .then(() => true)
      .catch(() => false);
  while (!(await put())) await new Promise((resolve) => setTimeout(resolve, 20));
  const code =
    'exports.handler = async ({ n }) => { if (n > 9) await new Promise((r) => setTimeout(r, 2500)); return { twice: 2 * n }; };';
  const { FunctionArn: functionArn } = await lambda.send(
    new CreateFunctionCommand({
      FunctionName: 'double',
      Role: roleArn,
      Runtime: 'nodejs20.x',
      Handler: 'index.handler',
      Code: { ZipFile: zipOf(code) },
    }),
  );
  await lambda.send(
    new AddPermissionCommand({
      FunctionName: 'double',
      StatementId: 'iot',
      Action: 'lambda:InvokeFunction',
      Principal: 'iot.amazonaws.com',
    }),
  );
  const { QueueUrl: queueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: 'enriched' }));
  await rule(
    'enrich',
    `SELECT aws_lambda('${functionArn}', {'n': n}).twice AS twice, sourceip() AS ip, n,
       get_dynamodb('places', 'id', n, 'role').name AS name, get_user_properties('k') AS k,
       get_registry_data('DescribeThing', topic(2), 'role').attributes.zone AS zone FROM 'in/+'`,
    [
      {
        republish: {
          roleArn,
          topic: 'out/1',
          qos: 1,
          headers: {
            payloadFormatIndicator: 'UTF8_DATA',
            contentType: 'application/json',
            responseTopic: `answers/${hole('topic(2)')}`,
            correlationData: hole("get_mqtt_property('correlation_data')"),
            messageExpiry: '60',
            userProperties: [
              { key: 'from', value: hole('topic(2)') },
              { key: 'from', value: 'rule' },
            ],
          },
        },
      },
    ],
  );
  const properties = ['content_type', 'format_indicator', 'response_topic', 'correlation_data']
    .map((name) => `'${name}': get_mqtt_property('${name}')`)
    .join(', ');
  await rule(
    'collect',
    `SELECT VALUE {'all': *, 'user': get_user_properties(), ${properties}} FROM 'out/+'`,
    [{ sqs: { roleArn, queueUrl } }],
  );
  const publish = (n: number) =>
    iotData.send(
      new PublishCommand({
        topic: 'in/dev1',
        qos: 1,
        payload: Buffer.from(JSON.stringify({ n })),
        correlationData: 'AQI=',
        userProperties: JSON.stringify([{ k: 'v' }, { k: 'w' }]),
      }),
    );
  const collected = async () => {
    const received = await sqs.send(new ReceiveMessageCommand({ QueueUrl: queueUrl, WaitTimeSeconds: 5 }));
    return JSON.parse(received.Messages?.[0]?.Body ?? 'null') as unknown;
  };
  const told = {
    user: [{ from: 'dev1' }, { from: 'rule' }],
    content_type: 'application/json',
    format_indicator: 'UTF8_DATA',
    response_topic: 'answers/dev1',
    correlation_data: 'AQI=',
  };
  await publish(3);
  expect(await collected()).toEqual({
    all: {
      twice: 6,
      n: 3,
      name: 'here',
      zone: 'a',
      k: ['v', 'w'],
      ip: expect.stringMatching(/127.0.0.1|::1/),
    },
    ...told,
  });
  // It takes longer than AWS waits; the publisher does not wait for it.
  const sentAt = performance.now();
  await publish(10);
  expect(performance.now() - sentAt).toBeLessThan(1_500);
  expect(await collected()).toMatchObject({ all: { n: 10, zone: 'a' }, ...told });
});
