/**
 * Rules and policies that the cloud starts with: those of a `cloud-rules` folder, or the ones that were built in.
 */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import beamOperator from '../cloud-rules/policies/beam-operator.json' with { type: 'json' };
import beamPilot from '../cloud-rules/policies/beam-pilot.json' with { type: 'json' };
import beamAlert from '../cloud-rules/rules/beam_alert.json' with { type: 'json' };
import beamGaiadDocuments from '../cloud-rules/rules/beam_gaiad_documents.json' with { type: 'json' };
import beamHealth from '../cloud-rules/rules/beam_health.json' with { type: 'json' };
import beamPresence from '../cloud-rules/rules/beam_presence.json' with { type: 'json' };
import beamRoleDeleted from '../cloud-rules/rules/beam_role_deleted.json' with { type: 'json' };
import beamRoleDocuments from '../cloud-rules/rules/beam_role_documents.json' with { type: 'json' };
import beamRoleRequest from '../cloud-rules/rules/beam_role_request.json' with { type: 'json' };
import beamStatusDocuments from '../cloud-rules/rules/beam_status_documents.json' with { type: 'json' };
import { isObject, type JsonObject, type JsonValue } from './engines/json-tree.ts';
import { accountId, region } from './registry/arns.ts';

const jsonObject = z.record(z.string(), z.json()).transform((value) => value as JsonObject);
const ruleFile = z.strictObject({ ruleName: z.string(), topicRulePayload: jsonObject });
const policyFile = z.strictObject({ policyName: z.string(), policyDocument: jsonObject });

export interface CloudRules {
  rules: { ruleName: string; topicRulePayload: JsonObject }[];
  policies: { policyName: string; document: string }[];
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
  policies: [beamOperator, beamPilot],
};

export function lambdaArn(functionName: string): string {
  return `arn:aws:lambda:${region}:${accountId}:function:${functionName}`;
}

/** `${lambda:<name>}` as a whole value becomes that function's ARN. */
function withArns(value: JsonValue): JsonValue {
  if (typeof value === 'string') {
    const name = /^\$\{lambda:([a-z0-9-]+)\}$/.exec(value)?.[1];
    return name === undefined ? value : lambdaArn(name);
  }
  if (Array.isArray(value)) return value.map(withArns);
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, withArns(child)]));
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

/** @param folder left out: the ones that were built in. @throws Error that names the file at fault */
export function readCloudRules(folder: string | undefined): CloudRules {
  if (folder !== undefined && !existsSync(folder)) throw new Error(`There is no folder ${folder} (--rules)`);
  const from = (kind: 'rules' | 'policies') =>
    folder === undefined
      ? builtIn[kind].map((value) => ({ file: `cloud-rules/${kind}`, value: value as unknown }))
      : filesIn(join(folder, kind));
  return {
    rules: from('rules').map((each) => {
      const { ruleName, topicRulePayload } = parseFile(ruleFile, each);
      const payload = withArns(topicRulePayload);
      return { ruleName, topicRulePayload: isObject(payload) ? payload : topicRulePayload };
    }),
    policies: from('policies').map((each) => {
      const { policyName, policyDocument } = parseFile(policyFile, each);
      return { policyName, document: JSON.stringify(policyDocument) };
    }),
  };
}
