/**
 * IAM's API (Query protocol) for roles and what is attached to them, as far as a deployment needs it. Roles are kept and shown:
 * everything that runs here acts by the one access key.
 */

import * as z from 'zod';
import { type Handler, operation } from '../https/operation.ts';
import { page } from '../https/page.ts';
import { queryService } from '../https/query-service.ts';
import type { SignedService } from '../https/signed-service.ts';
import { accountId } from '../registry/arns.ts';
import { AwsError } from '../registry/aws-error.ts';
import type { Store } from '../store/store.ts';
import type { RoleRecord } from './records.ts';

const bytesMax = 1024 * 1024;
const pageSize = 100;

const RoleName = z.string().regex(/^[\w+=,.@-]{1,64}$/);
const PolicyName = z.string().regex(/^[\w+=,.@-]{1,128}$/);
const PolicyArn = z.string().regex(/^arn:aws[a-z-]*:iam::(aws|\d{12}):policy\/\S+$/);
const paging = { Marker: z.string().optional(), MaxItems: z.string().optional() };

export const roleArn = (name: string, path = '/') => `arn:aws:iam::${accountId}:role${path}${name}`;

function checkDocument(text: string): string {
  try {
    z.looseObject({ Statement: z.unknown() }).parse(JSON.parse(text));
    return text;
  } catch {
    throw new AwsError(400, 'MalformedPolicyDocument', 'The policy is not JSON with a Statement.');
  }
}

export function iamService(store: Store, nowMs: () => number): SignedService {
  const noSuch = (what: string) => new AwsError(404, 'NoSuchEntity', `${what} cannot be found.`);
  const known = (name: string): RoleRecord => {
    const record = store.roles.get(name);
    if (!record) throw noSuch(`The role with name ${name}`);
    return record;
  };
  const change = async (name: string, by: Partial<RoleRecord>) => {
    await store.roles.put(name, { ...known(name), ...by });
    return {};
  };
  /** Documents are URL-encoded in answers. */
  const shown = ({ roleName, path, createdAtMs, assumeRolePolicy, description }: RoleRecord) => ({
    Path: path,
    RoleName: roleName,
    RoleId: `AROA${roleName}`,
    Arn: roleArn(roleName, path),
    CreateDate: new Date(createdAtMs).toISOString(),
    AssumeRolePolicyDocument: encodeURIComponent(assumeRolePolicy),
    Description: description,
    MaxSessionDuration: 3600,
  });

  const operations: [string, Handler][] = [
    operation(
      'CreateRole',
      {
        RoleName,
        AssumeRolePolicyDocument: z.string(),
        Path: z
          .string()
          .regex(/^\/(\S+\/)?$/)
          .default('/'),
        Description: z.string().max(1000).optional(),
      },
      async (input) => {
        const { RoleName: roleName, Description: description } = input;
        if (store.roles.has(roleName))
          throw new AwsError(409, 'EntityAlreadyExists', `Role with name ${roleName} already exists.`);
        const record: RoleRecord = {
          roleName,
          path: input.Path,
          ...(description !== undefined && { description }),
          assumeRolePolicy: checkDocument(input.AssumeRolePolicyDocument),
          policies: {},
          attached: [],
          createdAtMs: nowMs(),
        };
        await store.roles.put(roleName, record);
        return { Role: shown(record) };
      },
    ),
    operation('GetRole', { RoleName }, (input) => ({ Role: shown(known(input.RoleName)) })),
    operation('ListRoles', { PathPrefix: z.string().optional(), ...paging }, (input) => {
      const { items, next } = page('ListRoles', store.roles.values(), ({ roleName: name }) => name, {
        token: input.Marker,
        size: pageSize,
      });
      return { Roles: items.map(shown), IsTruncated: next !== undefined, Marker: next };
    }),
    operation('DeleteRole', { RoleName }, async (input) => {
      const { policies, attached } = known(input.RoleName);
      if (Object.keys(policies).length + attached.length > 0)
        throw new AwsError(409, 'DeleteConflict', 'Cannot delete entity, must delete policies first.');
      await store.roles.remove(input.RoleName);
      return {};
    }),
    operation('UpdateAssumeRolePolicy', { RoleName, PolicyDocument: z.string() }, (input) =>
      change(input.RoleName, { assumeRolePolicy: checkDocument(input.PolicyDocument) }),
    ),
    operation('PutRolePolicy', { RoleName, PolicyName, PolicyDocument: z.string() }, (input) => {
      const { policies } = known(input.RoleName);
      const document = checkDocument(input.PolicyDocument);
      return change(input.RoleName, { policies: { ...policies, [input.PolicyName]: document } });
    }),
    operation('GetRolePolicy', { RoleName, PolicyName }, (input) => {
      const document = known(input.RoleName).policies[input.PolicyName];
      if (document === undefined) throw noSuch(`The role policy with name ${input.PolicyName}`);
      return {
        RoleName: input.RoleName,
        PolicyName: input.PolicyName,
        PolicyDocument: encodeURIComponent(document),
      };
    }),
    operation('ListRolePolicies', { RoleName, ...paging }, (input) => ({
      PolicyNames: Object.keys(known(input.RoleName).policies),
      IsTruncated: false,
    })),
    operation('DeleteRolePolicy', { RoleName, PolicyName }, (input) => {
      const { [input.PolicyName]: _, ...policies } = known(input.RoleName).policies;
      return change(input.RoleName, { policies });
    }),
    operation('AttachRolePolicy', { RoleName, PolicyArn }, (input) => {
      const attached = new Set([...known(input.RoleName).attached, input.PolicyArn]);
      return change(input.RoleName, { attached: [...attached] });
    }),
    operation('ListAttachedRolePolicies', { RoleName, ...paging }, (input) => ({
      AttachedPolicies: known(input.RoleName).attached.map((PolicyArn) => ({
        PolicyName: PolicyArn.split('/').at(-1),
        PolicyArn,
      })),
      IsTruncated: false,
    })),
    operation('DetachRolePolicy', { RoleName, PolicyArn }, (input) =>
      change(input.RoleName, {
        attached: known(input.RoleName).attached.filter((each) => each !== input.PolicyArn),
      }),
    ),
  ];
  return queryService({
    service: 'IAM',
    namespace: 'https://iam.amazonaws.com/doc/2010-05-08/',
    invalidType: 'ValidationError',
    bytesMax,
    operations: new Map(operations),
  });
}
