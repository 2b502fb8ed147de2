/**
 * Rules and policies that the cloud starts with: those of a `cloud-rules` folder, or the ones that were built in.
 */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import beamClaim from '../cloud-rules/policies/beam-claim.json' with { type: 'json' };
import beamOperator from '../cloud-rules/policies/beam-operator.json' with { type: 'json' };
import beamPilot from '../cloud-rules/policies/beam-pilot.json' with { type: 'json' };
import beamRotatePolicy from '../cloud-rules/policies/beam-rotate.json' with { type: 'json' };
import beamValidator from '../cloud-rules/policies/beam-validator.json' with { type: 'json' };
import beamSigner from '../cloud-rules/role-aliases/beam-signer.json' with { type: 'json' };
import beamAlert from '../cloud-rules/rules/beam_alert.json' with { type: 'json' };
import beamGaiadDocuments from '../cloud-rules/rules/beam_gaiad_documents.json' with { type: 'json' };
import beamHealth from '../cloud-rules/rules/beam_health.json' with { type: 'json' };
import beamPresence from '../cloud-rules/rules/beam_presence.json' with { type: 'json' };
import beamRoleDeleted from '../cloud-rules/rules/beam_role_deleted.json' with { type: 'json' };
import beamRoleDocuments from '../cloud-rules/rules/beam_role_documents.json' with { type: 'json' };
import beamRoleRequest from '../cloud-rules/rules/beam_role_request.json' with { type: 'json' };
import beamStatusDocuments from '../cloud-rules/rules/beam_status_documents.json' with { type: 'json' };
import beamRotate from '../cloud-rules/templates/beam-rotate.json' with { type: 'json' };
import beamServer from '../cloud-rules/templates/beam-server.json' with { type: 'json' };
import { functionName, lambdaStatement } from '../protocol/manifest.ts';
import { isObject, type JsonObject, type JsonValue } from './engines/json-tree.ts';
import { checkStatements, type RoleStatement } from './https/role-permissions.ts';
import { accountId, region } from './registry/arns.ts';
import type { NewTemplate } from './registry/provisioning-templates.ts';

const jsonObject = z.record(z.string(), z.json()).transform((value) => value as JsonObject);
const ruleFile = z.strictObject({ ruleName: z.string(), topicRulePayload: jsonObject });
const policyFile = z.strictObject({ policyName: z.string(), policyDocument: jsonObject });
const templateFile = z.strictObject({
  templateName: z.string(),
  description: z.string().optional(),
  enabled: z.boolean(),
  provisioningRoleArn: z.string(),
  templateBody: jsonObject,
  preProvisioningHook: z.strictObject({ targetArn: z.string(), payloadVersion: z.string() }).optional(),
});
const roleAliasFile = z.strictObject({
  roleAlias: z.string(),
  description: z.string().optional(),
  credentialDurationSeconds: z.number().int(),
  iam: z.array(lambdaStatement),
});

export interface CloudRules {
  rules: { ruleName: string; topicRulePayload: JsonObject }[];
  policies: { policyName: string; document: string }[];
  templates: NewTemplate[];
  roleAliases: { roleAlias: string; roleArn: string; seconds: number; statements: RoleStatement[] }[];
}

const builtIn = {
  rules: [
    beamAlert,
    beamGaiadDocuments,
    beamHealth,
    beamPresence,
    beamRoleDeleted,
    beamRoleDocuments,
    beamRoleRequest,
    beamStatusDocuments,
  ],
  policies: [beamClaim, beamOperator, beamPilot, beamRotatePolicy, beamValidator],
  templates: [beamRotate, beamServer],
  'role-aliases': [beamSigner],
};

/** @param nameInManifest as in `${lambda:<name>}` */
export function lambdaArn(nameInManifest: string): string {
  return `arn:aws:lambda:${region}:${accountId}:function:${functionName(nameInManifest)}`;
}

/** ARNs of what a file names: functions by their name in the manifest, roles by their own. */
export interface Arns {
  lambda(nameInManifest: string): string;
  role(roleName: string): string;
}

export const localArns: Arns = {
  lambda: lambdaArn,
  role: (roleName) => `arn:aws:iam::${accountId}:role/${roleName}`,
};

/** `${lambda:<name>}` or `${role:<name>}` as a whole value becomes that function's or role's ARN. */
export function withArns(value: JsonValue, arns: Arns): JsonValue {
  if (typeof value === 'string') {
    const [, kind, name] = /^\$\{(lambda|role):([a-z0-9-]+)\}$/.exec(value) ?? [];
    if (name === undefined) return value;
    return kind === 'lambda' ? arns.lambda(name) : arns.role(name);
  }
  if (Array.isArray(value)) return value.map((child) => withArns(child, arns));
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, withArns(child, arns)]));
}

function filesIn(folder: string): { file: string; value: unknown }[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .sort()
    .map((name) => {
      const file = join(folder, name);
      try {
        return { file, value: JSON.parse(readFileSync(file, 'utf8')) as unknown };
      } catch (error) {
        throw new Error(`${file} is not JSON: ${String(error)}`, { cause: error });
      }
    });
}

function parseFile<S extends z.ZodType>(
  schema: S,
  { file, value }: { file: string; value: unknown },
): z.output<S> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new Error(`${file} is not as cloud-rules/README.md says:\n${z.prettifyError(parsed.error)}`);
}

/**
 * @param folder left out: the ones that were built in
 * @throws Error that names the file at fault
 */
export function readCloudRules(folder: string | undefined, arns: Arns = localArns): CloudRules {
  if (folder !== undefined && !existsSync(folder)) throw new Error(`There is no folder ${folder} (--rules)`);
  const from = (kind: keyof typeof builtIn) =>
    folder === undefined
      ? builtIn[kind].map((value) => ({ file: `cloud-rules/${kind}`, value: value as unknown }))
      : filesIn(join(folder, kind));
  return {
    rules: from('rules').map((each) => {
      const { ruleName, topicRulePayload } = parseFile(ruleFile, each);
      const payload = withArns(topicRulePayload, arns);
      return { ruleName, topicRulePayload: isObject(payload) ? payload : topicRulePayload };
    }),
    policies: from('policies').map((each) => {
      const { policyName, policyDocument } = parseFile(policyFile, each);
      return { policyName, document: JSON.stringify(policyDocument) };
    }),
    roleAliases: from('role-aliases').map((each) => {
      const { roleAlias, credentialDurationSeconds: seconds, iam } = parseFile(roleAliasFile, each);
      checkStatements(roleAlias, iam);
      return { roleAlias, roleArn: arns.role(roleAlias), seconds, statements: iam };
    }),
    templates: from('templates').map((each) => {
      const parsed = parseFile(templateFile, each);
      const { templateBody, ...settings } = parseFile(templateFile, {
        ...each,
        value: withArns(parsed, arns),
      });
      return { ...settings, templateBody: JSON.stringify(templateBody) };
    }),
  };
}
