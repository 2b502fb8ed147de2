/**
 * The pre-provisioning hook: lets a fresh server in that an operator admitted, once, and lets a server take a further
 * certificate for its own thing. In doubt it refuses. It ends within 5 s, or AWS IoT refuses by itself.
 */

import { DescribeThingCommand, IoTClient, ListThingPrincipalsCommand } from '@aws-sdk/client-iot';
import {
  type Admission,
  admission,
  admissionItem,
  type ProvisioningHookAnswer,
  type ProvisioningHookEvent,
  provisioningHookEvent,
  useAdmission,
} from '../../protocol/admission.ts';
import { fromJsonItem } from '../../protocol/dynamodb-json.ts';
import { fleetTablePartitionKey, fleetTableSortKey } from '../../protocol/fleet-table.ts';
import { conditionFailed, dynamoOfEnvironment } from '../aws/dynamodb.ts';
import { callBounds, clientSettings, fleetTableOfEnvironment } from '../aws/environment.ts';
import { log } from '../aws/log.ts';
import { admit, admitRotation, type Decision, type Request, requestOf } from './decide.ts';
import { checkIdentity, readCertificates } from './instance-identity.ts';

const fleetTable = fleetTableOfEnvironment();
/** AWS's of the region that the instances are in; it signs their identity documents. */
const certificates = readCertificates(process.env.BEAM_INSTANCE_CERTIFICATES ?? '');
const maxAttempts = 2;
const dynamodb = dynamoOfEnvironment({ ...callBounds, maxAttempts });
const iot = new IoTClient({ ...clientSettings, maxAttempts });

export async function handler(event: unknown): Promise<ProvisioningHookAnswer> {
  const parsed = provisioningHookEvent.safeParse(event);
  if (!parsed.success) {
    log('error', 'What came is no event of a pre-provisioning hook', { fault: parsed.error.message });
    return { allowProvisioning: false };
  }
  const asked = parsed.data;
  const request = requestOf(asked);
  const decision =
    'refused' in request
      ? request
      : request.for === 'server'
        ? await decideServer(request, asked)
        : admitRotation(request, asked, await readThing(request.thing));
  const { claimCertificateId, certificateId, clientId } = asked;
  const who = { claimCertificateId, certificateId, clientId, request: withoutProof(request) };
  if ('refused' in decision) {
    log('warn', 'A certificate was refused', { ...who, why: decision.refused });
    return { allowProvisioning: false };
  }
  log('info', 'A certificate was allowed', who);
  return { allowProvisioning: true, parameterOverrides: decision.overrides };
}

/** A signature is nobody's business in a log. */
function withoutProof(request: Request | { refused: string }) {
  if (!('proof' in request)) return request;
  const { proof: _signed, ...rest } = request;
  return rest;
}

async function decideServer(
  request: Extract<Request, { for: 'server' }>,
  { certificateId, templateArn }: Pick<ProvisioningHookEvent, 'certificateId' | 'templateArn'>,
): Promise<Decision> {
  const now = Date.now();
  const { fleet, node, proof } = request;
  // Where no certificate of AWS's is configured nothing can be checked, and counts for nothing.
  const checked =
    proof && certificates.length > 0 ? checkIdentity(proof, certificates, templateArn) : undefined;
  if (checked && 'refused' in checked) return checked;
  const found = await readAdmission(request);
  const decision = admit(request, certificateId, found, now, checked);
  if ('refused' in decision) return decision;
  const startedAt = found?.instance === 'own' ? checked?.startedAt : undefined;
  try {
    await dynamodb.updateItem(useAdmission(fleetTable, { fleet, node, certificateId, startedAt }, now));
    return decision;
  } catch (error) {
    if (!conditionFailed(error)) throw error;
    return { refused: `the admission of ${request.fleet}_${request.node} was used meanwhile` };
  }
}

async function readAdmission({
  fleet,
  node,
}: {
  fleet: string;
  node: string;
}): Promise<Admission | undefined> {
  const { Item } = await dynamodb.getItem({
    TableName: fleetTable,
    Key: { [fleetTablePartitionKey]: { S: fleet }, [fleetTableSortKey]: { S: admissionItem(node) } },
    ConsistentRead: true,
  });
  return Item ? admission.parse(fromJsonItem(Item)) : undefined;
}

async function readThing(
  thingName: string,
): Promise<{ kind: string | undefined; certificateIds: string[] } | undefined> {
  try {
    const [{ attributes }, { principals = [] }] = await Promise.all([
      iot.send(new DescribeThingCommand({ thingName })),
      iot.send(new ListThingPrincipalsCommand({ thingName })),
    ]);
    return {
      kind: attributes?.kind,
      certificateIds: principals.map((principal) => principal.slice(principal.lastIndexOf('/') + 1)),
    };
  } catch (error) {
    if (error instanceof Error && error.name === 'ResourceNotFoundException') return undefined;
    throw error;
  }
}
