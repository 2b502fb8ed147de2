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
export type CertificateStatus = (typeof certificateStatuses)[number];

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
}

export interface PolicyRecord {
  policyName: string;
  document: string;
  createdAt: number;
}

export interface TopicRuleRecord {
  ruleName: string;
  payload: JsonObject;
  createdAt: number;
  /** It came with the program, and goes when the program no longer brings it. */
  bundled?: true;
}
