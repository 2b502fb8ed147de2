/**
 * One source: what Terraform makes of cloud-rules/ and lambdas/manifest.json is what the local cloud reads there. The plan comes from
 * `npm run test:infra` (a mocked one, as no AWS account is at hand), in the file that BEAM_RENDERED names.
 */

import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import { readCloudRules } from '../local-cloud/bundled-rules.ts';
import { accountId, region } from '../local-cloud/registry/arns.ts';
import { fleetTableName, fleetTablePartitionKey, fleetTableSortKey } from '../protocol/fleet-table.ts';
import { functionName, parseLambdaManifest, scheduleEvent } from '../protocol/manifest.ts';
import { pilotPolicyName, thingGroupName, thingTypeName } from '../protocol/names.ts';
import { signTableName, signTablePartitionKey } from '../protocol/sign-record.ts';

interface LambdaAction {
  lambda: { functionArn: string };
}
interface Routes {
  actions: LambdaAction[];
  errorAction: LambdaAction;
}
interface Resource {
  root: string;
  type: string;
  address: string;
  after: Record<string, unknown>;
}

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const file = process.env.BEAM_RENDERED;
const resources: Resource[] = file ? JSON.parse(readFileSync(file, 'utf8')) : [];
const of = (type: string) =>
  resources
    .filter((each) => each.root === 'modules/commander' && each.type === type)
    .map(({ after }) => after);
const named = (type: string, key: string) => new Map(of(type).map((after) => [String(after[key]), after]));

const cloud = readCloudRules(join(root, 'cloud-rules'));
const { functions } = parseLambdaManifest(
  JSON.parse(readFileSync(join(root, 'lambdas/manifest.json'), 'utf8')),
);
/** The plan has another account and region than the local cloud. */
const asRendered = (arn: string) =>
  arn.replace(`:${region}:`, ':eu-central-1:').replace(`:${accountId}:`, ':123456789012:');
const json = (text: unknown) => JSON.parse(String(text)) as Record<string, unknown>;

const name = 'Terraform and the local cloud read the same (mocked plan; npm run test:infra brings it)';
// `npm test` has no Terraform; `npm run test:infra`, a step of CI, gives the plan and runs these.
(file ? describe : describe.skip)(name, () => {
  test('rules: name, SQL, and the functions that they and their errors go to', () => {
    const rules = named('aws_iot_topic_rule', 'name');
    expect([...rules.keys()].sort()).toEqual(cloud.rules.map(({ ruleName }) => ruleName).sort());
    const invocations = of('aws_lambda_permission').map(
      ({ function_name, source_arn }) => `${source_arn} ${function_name}`,
    );
    for (const { ruleName, topicRulePayload } of cloud.rules) {
      const rule = rules.get(ruleName);
      expect(rule).toMatchObject({
        sql: topicRulePayload.sql,
        sql_version: topicRulePayload.awsIotSqlVersion,
        enabled: topicRulePayload.ruleDisabled !== true,
        description: topicRulePayload.description,
      });
      const { actions, errorAction } = topicRulePayload as unknown as Routes;
      const targets = [...actions, errorAction].map(({ lambda }) => asRendered(lambda.functionArn));
      const errors = (rule?.error_action ?? []) as { lambda: object[] }[];
      const routed = [...((rule?.lambda ?? []) as object[]), ...errors.flatMap(({ lambda }) => lambda)];
      expect(routed).toEqual(targets.map((arn) => ({ function_arn: arn })));
      const source = `arn:aws:iot:eu-central-1:123456789012:rule/${ruleName}`;
      expect(invocations.filter((each) => each.startsWith(`${source} `)).sort()).toEqual(
        [...new Set(targets.map((arn) => `${source} ${arn.split(':').at(-1)}`))].sort(),
      );
    }
  });

  test('policies of certificates: name and document', () => {
    const policies = named('aws_iot_policy', 'name');
    expect([...policies.keys()].sort()).toEqual(cloud.policies.map(({ policyName }) => policyName).sort());
    expect(policies.has(pilotPolicyName)).toBe(true);
    for (const { policyName, document } of cloud.policies)
      expect(json(policies.get(policyName)?.policy)).toEqual(json(document));
  });

  test('functions: limits, environment, schedules, and a role with exactly the rights of the manifest', () => {
    const rendered = named('aws_lambda_function', 'function_name');
    const rights = new Map(
      resources
        .filter(({ type, address }) => type === 'aws_iam_role_policy' && address.includes('.function['))
        .map(({ address, after }) => [/"(.+)"/.exec(address)?.[1], json(after.policy).Statement as object[]]),
    );
    expect([...rendered.keys()].sort()).toEqual(functions.map(({ name }) => functionName(name)).sort());
    for (const definition of functions) {
      const { name, environment, iam } = definition;
      const on = rendered.get(functionName(name));
      expect(on).toMatchObject({
        handler: `index.${definition.handler}`,
        timeout: definition.timeoutSeconds,
        memory_size: definition.memoryMb,
        reserved_concurrent_executions: definition.reservedConcurrency,
      });
      const [variables] = (on?.environment ?? []) as { variables: Record<string, string> }[];
      const { AWS_ENDPOINT_URL_IOT_DATA_PLANE: endpoint, ...own } = variables?.variables ?? {};
      expect(own).toEqual(environment);
      expect(endpoint).toMatch(/^https:\/\/.+-ats\.iot\./);
      const statements = rights.get(name) ?? [];
      expect(statements.slice(0, -2)).toEqual(
        iam.map(({ actions, resource, condition }) => ({
          Effect: 'Allow',
          Action: actions,
          // biome-ignore lint/suspicious/noTemplateCurlyInString: the manifest's placeholders
          Resource: resource.replace('${region}', 'eu-central-1').replace('${account}', '123456789012'),
          ...(condition ? { Condition: condition } : {}),
        })),
      );
      expect(statements.slice(-2)).toMatchObject([
        { Action: ['logs:CreateLogStream', 'logs:PutLogEvents'] },
        { Action: ['sqs:SendMessage'] },
      ]);
    }
    const schedules = functions.flatMap((each) => each.schedules);
    const timers = named('aws_scheduler_schedule', 'name');
    expect([...timers.keys()].sort()).toEqual(schedules.map(({ name }) => functionName(name)).sort());
    for (const schedule of schedules) {
      const timer = timers.get(functionName(schedule.name));
      expect(timer?.schedule_expression).toBe(schedule.expression);
      const [target] = (timer?.target ?? []) as { input: string }[];
      expect(json(target?.input)).toEqual(scheduleEvent(schedule));
    }
  });

  test('tables, thing type and groups have the names and keys of the contract', () => {
    const tables = named('aws_dynamodb_table', 'name');
    expect(tables.get(fleetTableName)).toMatchObject({
      hash_key: fleetTablePartitionKey,
      range_key: fleetTableSortKey,
    });
    expect(tables.get(signTableName)).toMatchObject({
      hash_key: signTablePartitionKey,
      deletion_protection_enabled: true,
      replica: [],
      ttl: [],
    });
    expect(tables.size).toBe(2);
    expect(of('aws_iot_thing_type')).toMatchObject([{ name: thingTypeName }]);
    expect(of('aws_iot_thing_group')).toMatchObject([{ name: thingGroupName('hub') }]);
  });

  test('what a server’s certificate is worth: the role alias has the rights of its file, and KMS on the named keys', () => {
    const file = JSON.parse(readFileSync(join(root, 'cloud-rules/role-aliases/beam-signer.json'), 'utf8'));
    expect(of('aws_iot_role_alias')).toMatchObject([{ alias: file.roleAlias, credential_duration: 3600 }]);
    const policy = resources.find(({ address }) => address === 'aws_iam_role_policy.alias["beam-signer"]');
    const statements = json(policy?.after.policy).Statement as { Action: string[]; Resource: unknown }[];
    expect(statements.map(({ Action }) => Action)).toEqual([
      ...file.iam.map(({ actions }: { actions: string[] }) => actions),
      ['kms:GetPublicKey', 'kms:Sign'],
    ]);
    expect(statements.at(-1)?.Resource).toEqual([expect.stringMatching(/^arn:aws:kms:.+:key\//)]);
  });

  test('no secret is in the state: no key, certificate or password is a resource', () => {
    const forbidden =
      /^(aws_iot_certificate|aws_iam_access_key|aws_secretsmanager_secret_version|aws_ssm_parameter|tls_private_key|random_password)$/;
    expect(resources.filter(({ type }) => forbidden.test(type))).toEqual([]);
    expect(JSON.stringify(resources)).not.toMatch(/BEGIN (EC |RSA )?PRIVATE KEY|priv_key/);
  });
});
