/** For tests: a cloud with AWS's own clients of its services, and what they are asked again and again. */
import { readFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import { CreateTopicRuleCommand, IoTClient } from '@aws-sdk/client-iot';
import { IoTDataPlaneClient, PublishCommand } from '@aws-sdk/client-iot-data-plane';
import { LambdaClient } from '@aws-sdk/client-lambda';
import { SNSClient } from '@aws-sdk/client-sns';
import { CreateQueueCommand, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { zipSync } from 'fflate';
import { startEmptyCloud } from './cloud-fixture.ts';

export const account = '000000000000';
export const roleArn = `arn:aws:iam::${account}:role/any`;
export const zipOf = (code: string, file = 'index.js') => zipSync({ [file]: Buffer.from(code) });
export const json = (bytes: Uint8Array | undefined) =>
  JSON.parse(Buffer.from(bytes ?? []).toString() || 'null');

export type ServicesCloud = Awaited<ReturnType<typeof openServices>>;

/** @param dir of `makeCloudFolder`; a cloud that was stopped goes on from it */
export async function openServices(dir: string) {
  const cloud = await startEmptyCloud(dir);
  const { https, ca, accessKeyId, secretAccessKey, region } = cloud.ready;
  const agent = new Agent({ ca: readFileSync(ca), keepAlive: true });
  const settings = {
    endpoint: https,
    region,
    credentials: { accessKeyId, secretAccessKey },
    maxAttempts: 1,
    requestHandler: new NodeHttpHandler({ httpsAgent: agent }),
  };
  const iot = new IoTClient(settings);
  const iotData = new IoTDataPlaneClient(settings);
  const sqs = new SQSClient(settings);
  return {
    ready: cloud.ready,
    agent,
    lambda: new LambdaClient(settings),
    sns: new SNSClient(settings),
    sqs,
    events: new EventBridgeClient(settings),
    iot,
    iotData,
    dynamodb: new DynamoDBClient(settings),
    async queue(name: string, attributes: Record<string, string> = {}) {
      const { QueueUrl = '' } = await sqs.send(
        new CreateQueueCommand({ QueueName: name, Attributes: attributes }),
      );
      return { url: QueueUrl, arn: `arn:aws:sqs:local:${account}:${name}` };
    },
    async receive(url: string, seconds = 5) {
      const { Messages = [] } = await sqs.send(
        new ReceiveMessageCommand({
          QueueUrl: url,
          WaitTimeSeconds: seconds,
          MessageAttributeNames: ['All'],
          MessageSystemAttributeNames: ['All'],
        }),
      );
      return Messages[0];
    },
    publish: (topic: string, payload: object) =>
      iotData.send(new PublishCommand({ topic, payload: Buffer.from(JSON.stringify(payload)) })),
    rule: (ruleName: string, sql: string, actions: object[], errorAction?: object) =>
      iot.send(
        new CreateTopicRuleCommand({
          ruleName,
          topicRulePayload: {
            sql,
            awsIotSqlVersion: '2016-03-23',
            actions: actions as [],
            ...(errorAction && { errorAction: errorAction as never }),
          },
        }),
      ),
    async stop() {
      await cloud.stop();
      agent.destroy();
    },
  };
}

/** What `read` returns once it neither throws nor is undefined; its error after 6 s. */
export async function eventually<T>(read: () => T | Promise<T>): Promise<T> {
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
