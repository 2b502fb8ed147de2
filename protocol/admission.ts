/**
 * Who may register with a claim certificate: an item a server in the fleet table, written by an operator, used once.
 * A claim certificate alone, copied from an image, registers nobody.
 */

import * as z from 'zod';
import { fleetTablePartitionKey, fleetTableSortKey } from './fleet-table.ts';
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
  /** The certificate that was let in by it: it alone may ask again. */
  certificateId: z.string().optional(),
});
export type Admission = z.infer<typeof admission>;

/** Of DynamoDB's UpdateItem: takes the admission for one certificate, if no other one has it. */
export function useAdmission(
  table: string,
  { fleet, node, certificateId }: { fleet: string; node: string; certificateId: string },
  nowMs: number,
) {
  return {
    TableName: table,
    Key: { [fleetTablePartitionKey]: { S: fleet }, [fleetTableSortKey]: { S: admissionItem(node) } },
    UpdateExpression: 'SET #certificate = :certificate',
    ConditionExpression:
      '#until > :now AND (attribute_not_exists(#certificate) OR #certificate = :certificate)',
    ExpressionAttributeNames: { '#certificate': 'certificateId', '#until': 'until' },
    ExpressionAttributeValues: { ':certificate': { S: certificateId }, ':now': { N: String(nowMs) } },
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
