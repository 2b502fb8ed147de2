/** Lambda as AWS's own client sees it, and rules that invoke functions; real processes behind. */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  AddPermissionCommand,
  CreateFunctionCommand,
  DeleteFunctionCommand,
  GetFunctionCommand,
  GetPolicyCommand,
  InvokeCommand,
  ListFunctionsCommand,
  PutFunctionEventInvokeConfigCommand,
  UpdateFunctionCodeCommand,
  UpdateFunctionConfigurationCommand,
} from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { zipSync } from 'fflate';
import { makeCloudFolder } from '../cloud-fixture.ts';
import {
  account,
  eventually,
  json,
  openServices,
  roleArn,
  type ServicesCloud,
  zipOf,
} from '../services-fixture.ts';

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

test('Lambda: a function from a zip is made, invoked, changed, and removed', async () => {
  const created = await cloud.lambda.send(
    new CreateFunctionCommand({
      FunctionName: 'first',
      Role: roleArn,
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
    cloud.lambda.send(
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

  const beyondDouble = new InvokeCommand({ FunctionName: 'first', Payload: Buffer.from('{"n":[1e400]}') });
  await expect(cloud.lambda.send(beyondDouble)).rejects.toMatchObject({
    name: 'InvalidRequestContentException',
    message: expect.stringMatching(/the number at n\[0\] is beyond/),
  });

  const code = "export const handler = async () => { console.log('seen'); throw new RangeError('no'); };";
  const updated = await cloud.lambda.send(
    new UpdateFunctionCodeCommand({ FunctionName: 'first', ZipFile: zipOf(code, 'index.mjs') }),
  );
  expect(updated.CodeSha256).not.toBe(created.CodeSha256);
  const failed = await invoke({});
  expect(failed.FunctionError).toBe('Unhandled');
  expect(json(failed.Payload)).toMatchObject({ errorType: 'RangeError', errorMessage: 'no' });
  expect(Buffer.from(failed.LogResult ?? '', 'base64').toString()).toMatch(/INFO\tseen/);

  await cloud.lambda.send(new UpdateFunctionConfigurationCommand({ FunctionName: 'first', Timeout: 7 }));
  const got = await cloud.lambda.send(new GetFunctionCommand({ FunctionName: created.FunctionArn }));
  expect(got.Configuration).toMatchObject({
    Timeout: 7,
    CodeSha256: updated.CodeSha256,
    Environment: { Variables: { COLOUR: 'green' } },
  });
  const { Functions = [] } = await cloud.lambda.send(new ListFunctionsCommand({}));
  expect(Functions.map(({ FunctionName }) => FunctionName)).toEqual(['first']);
  await cloud.lambda.send(new DeleteFunctionCommand({ FunctionName: 'first' }));
  await expect(invoke({})).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
});

const failing = [
  ['a text that is thrown', "exports.handler = async () => { throw 'odd'; }", 'string', /^odd$/],
  [
    'no such handler',
    'exports.other = 1',
    'Runtime.HandlerNotFound',
    /^index.handler is undefined or not exported$/,
  ],
  [
    'a handler that is none',
    'exports.handler = 1',
    'Runtime.HandlerNotFound',
    /^index.handler is not a function$/,
  ],
  ['code that is none', 'exports.handler = (', 'Runtime.UserCodeSyntaxError', /^SyntaxError: /],
  [
    'a module that is missing',
    "require('nowhere')",
    'Runtime.ImportModuleError',
    /^Error: Cannot find module 'nowhere'/,
  ],
  ['a throw at its start', "throw new RangeError('early')", 'RangeError', /^early$/],
  [
    'more than an answer may have',
    "exports.handler = async () => 'x'.repeat(6291555)",
    'Function.ResponseSizeTooLarge',
    /^Response payload size exceeded maximum allowed payload size \(6291556 bytes\)\.$/,
  ],
] as const;
test("a function's failure has the type and message that Lambda gives it", async () => {
  const found = await Promise.all(
    failing.map(async ([, code], index) => {
      const FunctionName = `failing-${index}`;
      await cloud.lambda.send(
        new CreateFunctionCommand({
          FunctionName,
          Role: roleArn,
          Runtime: 'nodejs20.x',
          Handler: 'index.handler',
          Code: { ZipFile: zipOf(code) },
        }),
      );
      const answer = await cloud.lambda.send(new InvokeCommand({ FunctionName }));
      await cloud.lambda.send(new DeleteFunctionCommand({ FunctionName }));
      return { functionError: answer.FunctionError, ...json(answer.Payload), trace: undefined };
    }),
  );
  expect(found).toEqual(
    failing.map(([, , errorType, message]) => ({
      functionError: 'Unhandled',
      errorType,
      errorMessage: expect.stringMatching(message),
    })),
  );
}, 30_000);

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
  ['layers', { Layers: ['arn:x'] }, 'InvalidParameterValueException', /no layers/],
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
    Role: roleArn,
    Runtime: 'nodejs20.x' as const,
    Handler: 'index.handler',
    Code: { ZipFile: zipOf('') },
  };
  await expect(cloud.lambda.send(new CreateFunctionCommand({ ...input, ...more }))).rejects.toMatchObject({
    name,
    message: expect.stringMatching(message),
  });
});

test('an event that fails for good becomes a dead letter in a queue', async () => {
  const dead = await cloud.queue('dead');
  await cloud.lambda.send(
    new CreateFunctionCommand({
      FunctionName: 'failing',
      Role: roleArn,
      Runtime: 'nodejs20.x',
      Handler: 'index.handler',
      Code: { ZipFile: zipOf("exports.handler = async () => { throw new Error('never'); };") },
      DeadLetterConfig: { TargetArn: dead.arn },
    }),
  );
  await cloud.lambda.send(
    new PutFunctionEventInvokeConfigCommand({ FunctionName: 'failing', MaximumRetryAttempts: 0 }),
  );
  const { StatusCode } = await cloud.lambda.send(
    new InvokeCommand({ FunctionName: 'failing', InvocationType: 'Event', Payload: Buffer.from('{"x":1}') }),
  );
  expect(StatusCode).toBe(202);
  const letter = await cloud.receive(dead.url);
  expect(letter?.Body).toBe('{"x":1}');
  expect(letter?.MessageAttributes).toMatchObject({
    ErrorMessage: { StringValue: 'never' },
    ErrorCode: { StringValue: '200', DataType: 'Number' },
    RequestID: { StringValue: expect.stringMatching(/^[0-9a-f-]{36}$/) },
  });
});

test("a rule invokes a function only where the function's policy lets it", async () => {
  const failures = await cloud.queue('rule-failures');
  const FunctionArn = (
    await cloud.lambda.send(
      new CreateFunctionCommand({
        FunctionName: 'ruled',
        Role: roleArn,
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
  await cloud.rule(
    'ruled',
    "SELECT *, topic(2) AS who FROM 'ruled/+'",
    [{ lambda: { functionArn: FunctionArn } }],
    { sqs: { roleArn, queueUrl: failures.url } },
  );
  const file = join(dir, 'ruled.json');
  await cloud.publish('ruled/a', { file });
  const failure = JSON.parse((await cloud.receive(failures.url))?.Body ?? '{}');
  expect(failure).toMatchObject({
    ruleName: 'ruled',
    topic: 'ruled/a',
    failures: [{ failedAction: 'LambdaAction', failedResource: FunctionArn }],
  });
  expect(failure.failures[0].errorMessage).toMatch(/iot\.amazonaws\.com may not invoke ruled/);

  await cloud.lambda.send(
    new AddPermissionCommand({
      FunctionName: 'ruled',
      StatementId: 'rule',
      Action: 'lambda:InvokeFunction',
      Principal: 'iot.amazonaws.com',
      SourceArn: `arn:aws:iot:local:${account}:rule/rul*`,
    }),
  );
  const { Policy = '' } = await cloud.lambda.send(new GetPolicyCommand({ FunctionName: 'ruled' }));
  expect(JSON.parse(Policy).Statement).toHaveLength(1);
  await cloud.publish('ruled/b', { file });
  const written = await eventually(() => readFileSync(file, 'utf8'));
  expect(JSON.parse(written)).toEqual({ file, who: 'b' });
});
