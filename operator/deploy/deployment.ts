/** What is deployed, and what a deployment says of each thing. No place is in it: ARNs are put in where it goes. */

import type { LambdaFunction } from '../../protocol/manifest.ts';

export interface DeployedFunction extends LambdaFunction {
  /** `index.js` in CommonJS; the same code gives the same bytes. */
  zip: Uint8Array;
}

export interface DeployedTemplate {
  templateName: string;
  description?: string | undefined;
  enabled?: boolean | undefined;
  provisioningRoleArn: string;
  templateBody: string;
  preProvisioningHook?: { targetArn: string; payloadVersion?: string | undefined } | undefined;
}

export interface CloudFiles {
  rules: { ruleName: string; topicRulePayload: Record<string, unknown> }[];
  policies: { policyName: string; document: string }[];
  templates: DeployedTemplate[];
}

/** ARNs of what files name: functions by their name in the manifest, roles by their own. */
export interface PlaceArns {
  lambda(nameInManifest: string): string;
  role(roleName: string): string;
}

export interface Deployment {
  functions: DeployedFunction[];
  /** Lambda's name of a Node.js, such as nodejs22.x. */
  runtime: string;
  /** Rules, policies and templates with these ARNs in them. @throws Error that names the file at fault */
  files(arns: PlaceArns): CloudFiles;
}

export type ResourceKind =
  | 'queue'
  | 'topic'
  | 'table'
  | 'role'
  | 'function'
  | 'permission'
  | 'policy'
  | 'rule'
  | 'template'
  | 'schedule';

export interface Change {
  kind: ResourceKind;
  name: string;
  change: 'created' | 'updated' | 'unchanged';
  /** Of an update: what was different. */
  what: string[];
}
