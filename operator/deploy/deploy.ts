/**
 * Deploys what Beam runs in a cloud, by AWS's clients alone: to AWS, or to whatever answers as it does. Each thing is read first
 * and changed only where it differs, so a second deployment changes nothing, and one that broke off is ended by the next.
 * Nothing is ever deleted.
 */

import { functionName } from '../../protocol/manifest.ts';
import type { Change, CloudFiles, Deployment } from './deployment.ts';
import { ensureDeadLetters, ensureTables, ensureTopic } from './foundation.ts';
import { ensureFunction, ensurePermission, type Permission } from './functions.ts';
import { ensurePolicy, ensureRule, ensureTemplate, ruleNames } from './iot.ts';
import { arnIn, type DeployClients, type DeployContext, nameOfRole, roleArnIn } from './place.ts';
import { ensureProvisioningRole } from './roles.ts';
import { ensureSchedule } from './schedules.ts';

export interface DeployOptions {
  /** Tell what would be, change nothing. */
  dryRun: boolean;
  /** One role for all functions, made by somebody else. */
  roleArn?: string | undefined;
  /** Called with each change as it is made. */
  onChange(change: Change): void;
  sleep(ms: number): Promise<void>;
}

export async function deploy(
  clients: DeployClients,
  deployment: Deployment,
  options: DeployOptions,
): Promise<Change[]> {
  const { dryRun, roleArn, sleep } = options;
  const changes: Change[] = [];
  const done = (...made: Change[]) => {
    for (const change of made) {
      changes.push(change);
      options.onChange(change);
    }
  };
  const deadLetters = await ensureDeadLetters(clients.sqs, dryRun);
  done(deadLetters.change);
  const { account, arn: deadLetterArn } = deadLetters;
  const { runtime } = deployment;
  const context: DeployContext = { ...clients, dryRun, runtime, roleArn, account, deadLetterArn, sleep };
  const files = deployment.files({
    lambda: (name) => arnIn(account, 'lambda', `function:${functionName(name)}`),
    role: (name) => roleArnIn(account, name),
  });

  done(await ensureTopic(context));
  done(...(await ensureTables(context)));
  // Those of templates: a role alias's role trusts another service, and is not made here.
  const roles = new Set(files.templates.map(({ provisioningRoleArn }) => provisioningRoleArn));
  for (const arn of roles) done(await ensureProvisioningRole(context, nameOfRole(arn)));
  for (const definition of deployment.functions) done(...(await ensureFunction(context, definition)));
  for (const permission of permissionsOf(context, deployment, files))
    done(await ensurePermission(context, permission));
  for (const policy of files.policies) done(await ensurePolicy(context, policy));
  // Rules come after what they call.
  const known = await ruleNames(context);
  for (const rule of files.rules) done(await ensureRule(context, rule, known));
  for (const template of files.templates) done(await ensureTemplate(context, template));
  for (const { name, schedules } of deployment.functions)
    for (const schedule of schedules) done(await ensureSchedule(context, schedule, name));
  return changes;
}

/** Who invokes what: each rule its functions, each schedule its own, each template its hook. */
function permissionsOf(
  { account }: DeployContext,
  { functions }: Deployment,
  files: CloudFiles,
): Permission[] {
  const arnOf = (name: string) => arnIn(account, 'lambda', `function:${functionName(name)}`);
  const invoked = (text: string) =>
    functions.map(({ name }) => name).filter((name) => text.includes(JSON.stringify(arnOf(name))));
  const iot = { service: 'iot.amazonaws.com' };
  return [
    ...files.rules.flatMap(({ ruleName, topicRulePayload }) =>
      invoked(JSON.stringify(topicRulePayload)).map((name) => ({
        ...iot,
        function: name,
        statementId: `rule-${ruleName}`,
        sourceArn: arnIn(account, 'iot', `rule/${ruleName}`),
      })),
    ),
    ...files.templates.flatMap(({ templateName, preProvisioningHook }) =>
      invoked(JSON.stringify(preProvisioningHook ?? {})).map((name) => ({
        ...iot,
        function: name,
        statementId: `template-${templateName}`,
        sourceArn: arnIn(account, 'iot', `provisioningtemplate/${templateName}`),
      })),
    ),
    ...functions.flatMap(({ name, schedules }) =>
      schedules.map((schedule) => ({
        function: name,
        statementId: `schedule-${schedule.name}`,
        service: 'events.amazonaws.com',
        sourceArn: arnIn(account, 'events', `rule/${functionName(schedule.name)}`),
      })),
    ),
  ];
}
