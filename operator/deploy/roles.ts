/** Roles: of each function its own with what the manifest grants it and no more, and the one of fleet provisioning. */

import {
  AttachRolePolicyCommand,
  CreateRoleCommand,
  GetRoleCommand,
  GetRolePolicyCommand,
  ListAttachedRolePoliciesCommand,
  PutRolePolicyCommand,
  UpdateAssumeRolePolicyCommand,
} from '@aws-sdk/client-iam';
import { functionName, type LambdaFunction } from '../../protocol/manifest.ts';
import type { Change } from './deployment.ts';
import {
  arnIn,
  canonical,
  created,
  type DeployContext,
  parsedOrText,
  unlessMissing,
  updated,
} from './place.ts';

const inlinePolicy = 'beam';
/** AWS's own: what a provisioning template may do in the registry. */
const registrationPolicy = 'service-role/AWSIoTThingsRegistration';

const trusts = (service: string) => ({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Principal: { Service: service }, Action: 'sts:AssumeRole' }],
});

/** What the manifest grants, its log, and its dead letters. */
export function functionPolicy(
  { name, iam }: LambdaFunction,
  { account, deadLetterArn }: Pick<DeployContext, 'account' | 'deadLetterArn'>,
): object {
  const filled = (text: string) =>
    text
      .replaceAll(`\${region}`, account.region)
      .replaceAll(`\${account}`, account.account)
      .replace(/^arn:aws:/, `arn:${account.partition}:`);
  const logGroup = arnIn(account, 'logs', `log-group:/aws/lambda/${functionName(name)}`);
  return {
    Version: '2012-10-17',
    Statement: [
      ...iam.map(({ actions, resource, condition }) => ({
        Effect: 'Allow',
        Action: actions,
        Resource: filled(resource),
        ...(condition && { Condition: condition }),
      })),
      {
        Effect: 'Allow',
        Action: ['logs:CreateLogGroup', 'logs:CreateLogStream', 'logs:PutLogEvents'],
        Resource: [logGroup, `${logGroup}:*`],
      },
      { Effect: 'Allow', Action: 'sqs:SendMessage', Resource: deadLetterArn },
    ],
  };
}

async function ensureRole(
  { iam, dryRun }: DeployContext,
  RoleName: string,
  service: string,
  policy: object | undefined,
): Promise<{ change: Change; isNew: boolean }> {
  const trust = trusts(service);
  const found = await unlessMissing(iam.send(new GetRoleCommand({ RoleName })), 'NoSuchEntityException');
  const what: string[] = [];
  if (!found) {
    if (!dryRun)
      await iam.send(new CreateRoleCommand({ RoleName, AssumeRolePolicyDocument: JSON.stringify(trust) }));
  } else if (!sameDocument(found.Role?.AssumeRolePolicyDocument, trust)) {
    what.push('trust');
    if (!dryRun)
      await iam.send(new UpdateAssumeRolePolicyCommand({ RoleName, PolicyDocument: JSON.stringify(trust) }));
  }
  if (policy) {
    const before =
      found &&
      (await unlessMissing(
        iam.send(new GetRolePolicyCommand({ RoleName, PolicyName: inlinePolicy })),
        'NoSuchEntityException',
      ));
    if (!sameDocument(before?.PolicyDocument, policy)) {
      what.push('policy');
      if (!dryRun) {
        const PolicyDocument = JSON.stringify(policy);
        await iam.send(new PutRolePolicyCommand({ RoleName, PolicyName: inlinePolicy, PolicyDocument }));
      }
    }
  }
  return { change: found ? updated('role', RoleName, what) : created('role', RoleName), isNew: !found };
}

function sameDocument(found: string | undefined, wanted: object): boolean {
  return found !== undefined && canonical(parsedOrText(decodeURIComponent(found))) === canonical(wanted);
}

/** @returns with whether the role is new: Lambda takes one only after some seconds */
export function ensureFunctionRole(context: DeployContext, definition: LambdaFunction) {
  return ensureRole(
    context,
    functionName(definition.name),
    'lambda.amazonaws.com',
    functionPolicy(definition, context),
  );
}

export async function ensureProvisioningRole(context: DeployContext, RoleName: string): Promise<Change> {
  const { iam, dryRun, account } = context;
  const { change, isNew } = await ensureRole(context, RoleName, 'iot.amazonaws.com', undefined);
  const PolicyArn = `arn:${account.partition}:iam::aws:policy/${registrationPolicy}`;
  const { AttachedPolicies = [] } = isNew
    ? {}
    : await iam.send(new ListAttachedRolePoliciesCommand({ RoleName }));
  if (AttachedPolicies.some((each) => each.PolicyArn === PolicyArn)) return change;
  if (!dryRun) await iam.send(new AttachRolePolicyCommand({ RoleName, PolicyArn }));
  return isNew ? change : updated('role', RoleName, [...change.what, 'attached policy']);
}
