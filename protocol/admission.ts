/**
 * Who may register with a claim certificate: an item a server in the fleet table, written by an operator, used once.
 * A claim certificate alone, copied from an image, registers nobody.
 */

import * as z from 'zod';
import { fleetTablePartitionKey, fleetTableSortKey } from './fleet-table.ts';
import { instanceId } from './instance-identity.ts';
import { fleetName, nodeKind, nodeName } from './names.ts';

/** Sort key of a node's admission. */
export const admissionItem = (node: string) => `#admission:${node}`;

export const admission = z.object({
  fleet: fleetName,
  item: z.string(),
  node: nodeName,
  kind: nodeKind,
  zone: z.string().min(1).max(64).optional(),
  /** ms since 1970; later, nobody is let in. */
  until: z.number(),
  /**
   * Only this EC2 instance, by its identity document; or `own`: any of our account, one after the other, each of which was started
   * after the one before (what an auto scaling group puts in a lost one's place). Left out: any server, once.
   */
  instance: z.union([instanceId, z.literal('own')]).optional(),
  /** The certificate that was let in by it: it alone may ask again. */
  certificateId: z.string().optional(),
  /** Of the instance that was let in last, ms since 1970. */
  startedAt: z.number().optional(),
});
export type Admission = z.infer<typeof admission>;

export interface AdmissionUse {
  fleet: string;
  node: string;
  certificateId: string;
  /** Of an `own` admission: when the instance that asks was started, ms since 1970. */
  startedAt?: number | undefined;
}

/** Of DynamoDB's UpdateItem: takes the admission for one certificate, if no other one has it, or an instance that is newer may. */
export function useAdmission(
  table: string,
  { fleet, node, certificateId, startedAt }: AdmissionUse,
  nowMs: number,
) {
  const isFree = 'attribute_not_exists(#certificate) OR #certificate = :certificate';
  const isNewer = startedAt !== undefined;
  return {
    TableName: table,
    Key: { [fleetTablePartitionKey]: { S: fleet }, [fleetTableSortKey]: { S: admissionItem(node) } },
    UpdateExpression: `SET #certificate = :certificate${isNewer ? ', #started = :started' : ''}`,
    ConditionExpression: `#until > :now AND (${isFree}${isNewer ? ' OR #started < :started' : ''})`,
    ExpressionAttributeNames: {
      '#certificate': 'certificateId',
      '#until': 'until',
      ...(isNewer && { '#started': 'startedAt' }),
    },
    ExpressionAttributeValues: {
      ':certificate': { S: certificateId },
      ':now': { N: String(nowMs) },
      ...(isNewer && { ':started': { N: String(startedAt) } }),
    },
  };
}

/** What AWS IoT asks a pre-provisioning hook, payload version 2020-04-01. */
export const provisioningHookEvent = z.object({
  claimCertificateId: z.string().min(1),
  certificateId: z.string().min(1),
  templateArn: z.string().regex(/^arn:[^:]+:iot:[^:]+:[^:]+:provisioningtemplate\/.+$/),
  clientId: z.string(),
  parameters: z.record(z.string(), z.string()),
});
export type ProvisioningHookEvent = z.infer<typeof provisioningHookEvent>;

export type ProvisioningHookAnswer =
  | { allowProvisioning: false }
  | { allowProvisioning: true; parameterOverrides: Record<string, string> };
