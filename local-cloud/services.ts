/** The services beside IoT and DynamoDB (Lambda, SNS, SQS, EventBridge, IAM's roles) over one store, and what rules do with them. */

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { fromJsonItem, toJsonItem } from '../protocol/dynamodb-json.ts';
import type { LambdaManifest } from '../protocol/manifest.ts';
import type { Dynamo } from './dynamodb/server.ts';
import { EventRules, eventsService } from './events/events-api.ts';
import { Scheduler } from './events/scheduler.ts';
import type { SignedService } from './https/signed-service.ts';
import { iamService } from './iam/iam-api.ts';
import { bundledFunctions, bundledSchedules } from './lambda/bundled-functions.ts';
import { createFunctionCalls, type FunctionCalls } from './lambda/function-calls.ts';
import { functionOperations } from './lambda/function-operations.ts';
import { Functions } from './lambda/functions.ts';
import { lambdaService } from './lambda/lambda-api.ts';
import { createLambdaRunner, type DeadLetter, type LambdaRunner } from './lambda/runner.ts';
import { arn } from './registry/arns.ts';
import type { ActionExecutors, SqlServices } from './rules/engine.ts';
import { functionNameOf } from './rules/plan-action.ts';
import { deliver } from './sns/deliver.ts';
import { type SigningPair, signatureVersion, signed } from './sns/signature.ts';
import { snsService } from './sns/sns-api.ts';
import { Topics } from './sns/topics.ts';
import { Queues } from './sqs/queues.ts';
import { queueNameOf, sqsService } from './sqs/sqs-api.ts';
import type { Store } from './store/store.ts';

/** AWS gives a function that a rule's SQL calls 2 s. */
const sqlCallMsMax = 2_000;

export interface ServicesOptions {
  store: Store;
  dynamo: Dynamo;
  dataDir: string;
  /** Functions and schedules that come with the program. */
  manifest: LambdaManifest;
  /** Holds `<name>/index.cjs` and `<name>.zip` of each. */
  lambdasDir: string;
  /** `lambda-host.js`. */
  hostPath: string;
  /** https://host:port, once it is served. */
  address: () => string;
  snsSigner: SigningPair;
  log: {
    warn(details: object, message: string): void;
    error(details: object, message: string): void;
  };
  nowMs: () => number;
  /** For tests that do not wait for minutes. */
  retryDelaysMs?: readonly number[];
}

export interface Services {
  /** By the name that requests are signed for. */
  https: ReadonlyMap<string, SignedService>;
  /** Waits for the answer: what a provisioning template's hook needs. @throws where the function failed, or is not there */
  invokeFunction(functionArn: string, event: object): Promise<unknown>;
  /** What rules call; all but `republish`, which is the broker's. */
  executors: Omit<ActionExecutors, 'republish'>;
  /** What the SQL of a rule asks. @throws where the service refuses */
  answer: SqlServices['answer'];
  /** Functions, deliveries and schedules; HTTPS must be served by then. */
  start(functionEnvironment: Record<string, string>, caFile: string): Promise<void>;
  stop(): Promise<void>;
}

export function openServices(options: ServicesOptions): Services {
  const { store, dynamo, dataDir, manifest, lambdasDir, hostPath, address, snsSigner, log, nowMs } = options;
  const logDir = join(dataDir, 'logs');
  mkdirSync(logDir, { recursive: true });
  const functions = new Functions({
    store,
    codeRoot: join(dataDir, 'functions'),
    bundled: bundledFunctions(manifest, lambdasDir),
    nowMs,
  });
  let running: { runner: LambdaRunner; calls: FunctionCalls } | undefined;
  const started = () => {
    if (!running) throw new Error('The local cloud is starting: functions are not running yet');
    return running.calls;
  };
  const calls: FunctionCalls = {
    invoke: async (request) => started().invoke(request),
    invokeFor: async (...given) => started().invokeFor(...given),
    answerFor: async (...given) => started().answerFor(...given),
  };

  const queues = new Queues(store, nowMs);
  const topics = new Topics({
    store,
    nowMs,
    log,
    deliver: (subscription, notification) =>
      deliver(
        {
          address,
          sign: (envelope) =>
            signed(envelope, snsSigner, address(), signatureVersion(topics.find(envelope.TopicArn))),
          sendToQueue: (name, body, attributes) => queues.send(name, { body, attributes }),
          invokeLambda: (name, event, sourceArn) =>
            calls.invokeFor('sns.amazonaws.com', sourceArn, name, event),
          logFile: join(logDir, 'sns.log'),
        },
        subscription,
        notification,
      ),
  });
  const scheduler = new Scheduler({
    store,
    nowMs,
    log,
    async send(target, event, ruleArn) {
      const text = JSON.stringify(event);
      const name = target.arn.split(':').at(-1) ?? '';
      switch (target.arn.split(':')[2]) {
        case 'lambda':
          return calls.invokeFor('events.amazonaws.com', ruleArn, name, event);
        case 'sns':
          return topics.publish(target.arn, { message: text });
        case 'sqs':
          return queues.send(name, { body: text });
        default:
          throw new Error(`A schedule's target is a function, a topic or a queue, not ${target.arn}`);
      }
    },
  });
  const eventRules = new EventRules(store, scheduler);

  async function performed(
    operation: 'PutItem' | 'GetItem',
    input: Record<string, unknown>,
  ): Promise<Record<string, unknown>> {
    const { status, body } = await dynamo.perform(operation, input);
    if (status === 200) return body as Record<string, unknown>;
    const { __type = '', message = '' } = body as { __type?: string; message?: string };
    throw new Error(`${__type.split('#').at(-1)}: ${message}`);
  }

  const answer: SqlServices['answer'] = async (question, ruleName) => {
    if (question.call === 'aws_lambda') {
      const name = functionNameOf(question.functionArn);
      const answered = await calls.answerFor(
        'iot.amazonaws.com',
        arn('rule', ruleName),
        name,
        question.input,
        sqlCallMsMax,
      );
      return z.json().parse(answered);
    }
    const { tableName, key } = question;
    const { Item } = await performed('GetItem', { TableName: tableName, Key: toJsonItem(key) });
    return Item === undefined ? undefined : fromJsonItem(Item as Record<string, unknown>);
  };

  async function deadLetter(target: string, { requestId, event, errorMessage }: DeadLetter): Promise<void> {
    const text = (StringValue: string, DataType = 'String') => ({ DataType, StringValue });
    const message = JSON.stringify(event);
    const attributes = {
      RequestID: text(requestId),
      ErrorCode: text('200', 'Number'),
      ErrorMessage: text(errorMessage),
    };
    if (target.split(':')[2] === 'sns') await topics.publish(target, { message, attributes });
    else await queues.send(target.split(':').at(-1) ?? '', { body: message, attributes });
  }

  return {
    https: new Map([
      ['lambda', lambdaService(functionOperations(functions, nowMs), calls)],
      ['sns', snsService(topics, snsSigner)],
      ['sqs', sqsService(queues, address)],
      ['events', eventsService(eventRules, nowMs)],
      ['iam', iamService(store, nowMs)],
    ]),
    async invokeFunction(functionArn, event) {
      if (!running) throw new Error(`Function ${functionArn}: the local cloud is starting`);
      return running.runner.invoke(functionNameOf(functionArn), event);
    },
    executors: {
      lambda: ({ functionName, event }, ruleName) =>
        calls.invokeFor('iot.amazonaws.com', arn('rule', ruleName), functionName, event),
      sns: ({ targetArn, message, messageStructure }) =>
        topics.publish(targetArn, {
          message,
          ...(messageStructure !== undefined && { structure: messageStructure }),
        }),
      sqs: ({ queueUrl, body }) => queues.send(queueNameOf(queueUrl), { body }),
      dynamoDBv2: ({ tableName, item }) => performed('PutItem', { TableName: tableName, Item: item }),
    },
    answer,
    async start(environment, caFile) {
      const runner = createLambdaRunner({
        functions: functions.runnable(),
        environment,
        caFile,
        logDir,
        hostPath,
        shelf: {
          put: (record) => store.lambdaEvents.put(record.requestId, record),
          remove: (requestId) => store.lambdaEvents.remove(requestId),
          all: () => [...store.lambdaEvents.values()],
        },
        deadLetter,
        log,
        nowMs,
        ...(options.retryDelaysMs && { retryDelaysMs: options.retryDelaysMs }),
      });
      functions.listen(runner);
      functions.forgetOldCode();
      running = { runner, calls: createFunctionCalls(functions, runner, logDir) };
      await runner.start();
      await eventRules.putBundled(bundledSchedules(manifest, nowMs()));
      topics.start();
      scheduler.start();
    },
    async stop() {
      scheduler.stop();
      topics.close();
      queues.close();
      await running?.runner.stop();
    },
  };
}
