/** What the registry keeps of each kind of resource. Times are seconds since the epoch, as AWS sends them. */

import type { JsonObject } from '../engines/json-tree.ts';

export interface ThingRecord {
  thingName: string;
  thingId: string;
  thingTypeName?: string;
  attributes: Record<string, string>;
  version: number;
}

export interface ThingTypeRecord {
  thingTypeName: string;
  thingTypeId: string;
  description?: string;
  searchableAttributes: string[];
  createdAt: number;
  /** Seconds since 1970; from then on no thing gets this type. */
  deprecatedAt?: number;
}

export interface ThingGroupRecord {
  thingGroupName: string;
  thingGroupId: string;
  parentGroupName?: string;
  description?: string;
  attributes: Record<string, string>;
  version: number;
  createdAt: number;
}

export const certificateStatuses = ['ACTIVE', 'INACTIVE', 'REVOKED'] as const;
/** What an API call may set, and what only the cloud itself sets. */
export type SettableStatus = (typeof certificateStatuses)[number];
export type CertificateStatus = SettableStatus | 'PENDING_ACTIVATION';

export interface CertificateRecord {
  /** SHA-256 of the DER form, 64 lower-case hex digits. */
  certificateId: string;
  pem: string;
  status: CertificateStatus;
  /** Signed by this cloud's CA, or only registered here. */
  issuedHere: boolean;
  createdAt: number;
  modifiedAt: number;
  notBefore: number;
  notAfter: number;
  /** Made by fleet provisioning, and deleted at this time unless a thing is registered with it. */
  pendingUntil?: number;
  /** The registered authority that signed it. */
  caCertificateId?: string;
  /** Left out: DEFAULT where it was issued here, SNI_ONLY where not. */
  mode?: CertificateMode;
  /** A provisioning claim (CreateProvisioningClaim): good for this template alone, until this time. */
  claim?: { templateName: string; until: number };
}

export type CertificateMode = 'DEFAULT' | 'SNI_ONLY';

/** How what an authority signed becomes a thing at its first connection. */
export interface RegistrationConfig {
  templateBody?: string | undefined;
  templateName?: string | undefined;
  roleArn?: string | undefined;
}

export interface CaCertificateRecord {
  /** SHA-256 of the DER form, 64 lower-case hex digits. */
  certificateId: string;
  pem: string;
  status: 'ACTIVE' | 'INACTIVE';
  autoRegistrationStatus: 'ENABLE' | 'DISABLE';
  mode: CertificateMode;
  registrationConfig?: RegistrationConfig;
  customerVersion: number;
  generationId: string;
  createdAt: number;
  modifiedAt: number;
  notBefore: number;
  notAfter: number;
}

export interface ProvisioningHook {
  targetArn: string;
  payloadVersion: string;
}

export interface ProvisioningTemplateRecord {
  templateName: string;
  type: 'FLEET_PROVISIONING' | 'JITP';
  description?: string;
  enabled: boolean;
  provisioningRoleArn: string;
  hook?: ProvisioningHook;
  defaultVersionId: number;
  /** Counts up: the id of a deleted version is not given out again. */
  lastVersionId: number;
  createdAt: number;
  modifiedAt: number;
}

export interface ProvisioningTemplateVersionRecord {
  body: string;
  createdAt: number;
}

export interface PolicyRecord {
  policyName: string;
  /** Of the default version. */
  document: string;
  createdAt: number;
  modifiedAt?: number;
  /** Left out: 1, the only one. */
  defaultVersionId?: number;
  /** Counts up: the id of a deleted version is not given out again. */
  lastVersionId?: number;
}

/** Kept only of policies that ever had a second version. */
export interface PolicyVersionRecord {
  document: string;
  createdAt: number;
}

export interface RoleAliasRecord {
  roleAlias: string;
  roleArn: string;
  credentialDurationSeconds: number;
  createdAt: number;
  modifiedAt: number;
}

export interface TopicRuleRecord {
  ruleName: string;
  payload: JsonObject;
  createdAt: number;
  /** It came with the program, and goes when the program no longer brings it. */
  bundled?: true;
}
