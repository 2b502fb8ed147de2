import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { GetRolePolicyCommand } from '@aws-sdk/client-iam';
import { PublishCommand } from '@aws-sdk/client-iot-data-plane';
import { GetFunctionCommand, UpdateFunctionConfigurationCommand } from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { zipSync } from 'fflate';
import type { Cloud } from '../../local-cloud/cloud.ts';
import { makeCloudFolder, startEmptyCloud } from '../../local-cloud/cloud-fixture.ts';
import { lambdaFunction } from '../../protocol/manifest.ts';
import { connectOperator, disconnect } from '../actions/operator.ts';
import { deploy } from './deploy.ts';
import type { Change, Deployment, PlaceArns } from './deployment.ts';
import { connectForDeploy, type DeployClients } from './place.ts';

let dir: string;
let cloud: Cloud;
let clients: DeployClients;

beforeAll(async () => {
  dir = await makeCloudFolder();
  cloud = await startEmptyCloud(dir);
  clients = connectForDeploy(place());
}, 60_000);

afterAll(async () => {
  clients.destroy();
  await cloud.stop();
  rmSync(dir, { recursive: true, force: true });
});

function place() {
  const { https, ca, region, accessKeyId, secretAccessKey } = cloud.ready;
  return { endpoint: https, ca, region, credentials: { accessKeyId, secretAccessKey } };
}

const source = (text: string) =>
  zipSync({
    'index.js': Buffer.from(`exports.handler = async (e) => console.log(${JSON.stringify(text)}, e.n);`),
    'package.json': Buffer.from('{"type":"commonjs"}'),
  });

const hole = (name: string) => `\${${name}}`;

const echo = {
  ...lambdaFunction.parse({
    name: 'echo',
    entry: 'echo/index.ts',
    handler: 'handler',
    timeoutSeconds: 5,
    memoryMb: 128,
    environment: { A: '1' },
    iam: [
      {
        actions: ['dynamodb:GetItem'],
        resource: `arn:aws:dynamodb:${hole('region')}:${hole('account')}:table/beam-fleet`,
      },
    ],
    schedules: [{ name: 'echo-sweep', expression: 'rate(1 minute)', input: { trigger: 'sweep' } }],
  }),
  zip: source('first'),
};

const allowNothing = {
  Version: '2012-10-17',
  Statement: [{ Effect: 'Deny', Action: 'iot:*', Resource: '*' }],
};

const deployment: Deployment = {
  functions: [echo],
  runtime: 'nodejs22.x',
  files: ({ lambda, role }: PlaceArns) => {
    // As role aliases do, which are read with the templates.
    role('beam-of-an-alias');
    return {
      rules: [
        {
          ruleName: 'beam_echo',
          topicRulePayload: {
            sql: "SELECT * FROM 'echo/+'",
            awsIotSqlVersion: '2016-03-23',
            ruleDisabled: false,
            actions: [{ lambda: { functionArn: lambda('echo') } }],
          },
        },
      ],
      policies: [{ policyName: 'p', document: JSON.stringify(allowNothing) }],
      templates: [
        {
          templateName: 'beam-t',
          enabled: true,
          provisioningRoleArn: role('beam-provisioning'),
          templateBody: JSON.stringify({
            Parameters: {},
            Resources: { thing: { Type: 'AWS::IoT::Thing', Properties: { ThingName: 'x' } } },
          }),
          preProvisioningHook: { targetArn: lambda('echo'), payloadVersion: '2020-04-01' },
        },
      ],
    };
  },
};

async function run(given: Deployment, dryRun = false): Promise<Change[]> {
  return deploy(clients, given, { dryRun, onChange: () => {}, sleep: async () => {} });
}
const shown = (changes: Change[]) =>
  changes
    .filter(({ change }) => change !== 'unchanged')
    .map(({ change, kind, name, what }) => [change, kind, name, ...what].join(' '));

const all = [
  'created queue beam-dead-letters',
  'created topic beam-alerts',
  'created role beam-provisioning',
  'created role beam-echo',
  'created function beam-echo',
  'created permission rule-beam_echo on beam-echo',
  'created permission template-beam-t on beam-echo',
  'created permission schedule-echo-sweep on beam-echo',
  'created policy p',
  'created rule beam_echo',
  'created template beam-t',
  'created schedule beam-echo-sweep',
];

test('a dry run tells everything and makes nothing; a deployment makes it; a second one has nothing to do', async () => {
  expect(shown(await run(deployment, true))).toEqual(all);
  expect(shown(await run(deployment, true))).toEqual(all);
  expect(shown(await run(deployment))).toEqual(all);
  expect(shown(await run(deployment))).toEqual([]);
  const { PolicyDocument = '' } = await clients.iam.send(
    new GetRolePolicyCommand({ RoleName: 'beam-echo', PolicyName: 'beam' }),
  );
  expect(JSON.parse(decodeURIComponent(PolicyDocument)).Statement[0]).toEqual({
    Effect: 'Allow',
    Action: ['dynamodb:GetItem'],
    Resource: 'arn:aws:dynamodb:local:000000000000:table/beam-fleet',
  });
});

test('what was deployed works: a message comes through the rule to the function', async () => {
  const operator = connectOperator(place());
  await operator.iotData.send(new PublishCommand({ topic: 'echo/a', payload: Buffer.from('{"n":7}') }));
  disconnect(operator);
  const log = join(dir, 'data/logs/beam-echo.log');
  for (
    let attempt = 0;
    attempt < 300 && !(existsSync(log) && /first 7/.test(readFileSync(log, 'utf8')));
    attempt++
  )
    await new Promise((resolve) => setTimeout(resolve, 20));
  expect(readFileSync(log, 'utf8')).toMatch(/INFO\tfirst 7/);
});

test('what was changed by hand, or in the sources, is put right by name, and nothing else is touched', async () => {
  await clients.lambda.send(
    new UpdateFunctionConfigurationCommand({ FunctionName: 'beam-echo', Timeout: 9, Description: 'mine' }),
  );
  const changed: Deployment = {
    ...deployment,
    functions: [
      {
        ...echo,
        zip: source('second'),
        environment: { A: '2' },
        iam: [],
        schedules: echo.schedules.map((schedule) => ({ ...schedule, expression: 'rate(2 minutes)' })),
      },
    ],
    files(arns) {
      const files = deployment.files(arns);
      const [rule] = files.rules;
      return {
        ...files,
        rules: rule ? [{ ...rule, topicRulePayload: { ...rule.topicRulePayload, ruleDisabled: true } }] : [],
      };
    },
  };
  expect(shown(await run(changed))).toEqual([
    'updated role beam-echo policy',
    'updated function beam-echo code Timeout Environment',
    'updated rule beam_echo ruleDisabled',
    'updated schedule beam-echo-sweep ScheduleExpression',
  ]);
  expect(shown(await run(changed))).toEqual([]);
  const { Configuration } = await clients.lambda.send(new GetFunctionCommand({ FunctionName: 'beam-echo' }));
  expect(Configuration).toMatchObject({
    Timeout: 5,
    Description: 'mine',
    Environment: { Variables: { A: '2' } },
  });
});
