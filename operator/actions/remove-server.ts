/**
 * Takes a server out of its fleet for good: certificates, thing, shadows, admission, its item in the fleet table. Never whoever may sign, or
 * has been granted the right to. The sign record is not touched: nobody needs to be taken out of it.
 */

import { DeleteItemCommand } from '@aws-sdk/client-dynamodb';
import {
  DeleteCertificateCommand,
  DeleteThingCommand,
  DetachThingPrincipalCommand,
  RemoveThingFromThingGroupCommand,
} from '@aws-sdk/client-iot';
import { DeleteConnectionCommand, DeleteThingShadowCommand } from '@aws-sdk/client-iot-data-plane';
import { fleetTablePartitionKey, fleetTableSortKey } from '../../protocol/fleet-table.ts';
import { nodeName, thingGroupName, thingName } from '../../protocol/names.ts';
import type { SignRecord } from '../../protocol/sign-record.ts';
import { ActionError, InvalidInputError } from './errors.ts';
import type { Operator } from './operator.ts';
import { checkedFleetName, readFleetItems, readSignRecord } from './read-fleet.ts';
import { readShadow, type ShadowState, writeShadow } from './shadow-document.ts';
import { isGone, type ServerTraces, serverTraces, thingsOf } from './traces.ts';

export interface RemoveServer {
  fleet: string;
  node: string;
  dryRun?: boolean;
  /** Revokes a certificate and takes it off its things and policies; an open connection is cut. */
  revoke(certificateArn: string): Promise<unknown>;
  signal?: AbortSignal;
}

export interface ServerRemoved {
  thing: string;
  /** What there was of it. */
  found: ServerTraces;
  sent: boolean;
  /** Certificates that other things have, too: they are this one's no more, and go on. */
  shared: string[];
  /** What is there still, or again; null: nothing. */
  left: ServerTraces | null;
}

/** A function that read the fleet before may write to it once more. */
const settleMs = 2_000;
const triesMax = 3;

/**
 * @throws InvalidInputError where nothing is known of such a server; ActionError where it may sign, or might: nothing was removed
 */
export async function removeServer(operator: Operator, request: RemoveServer): Promise<ServerRemoved> {
  const { dryRun = false, revoke, signal } = request;
  const fleet = checkedFleetName(request.fleet);
  const node = nodeName.safeParse(request.node);
  if (!node.success)
    throw new InvalidInputError(`${JSON.stringify(request.node)} can't be a server's name: ${nodeRule}`);
  const thing = thingName(fleet, node.data);
  const found = await serverTraces(operator, thing);
  if (isGone(found)) {
    throw new InvalidInputError(
      `nothing is known of ${thing} here: "beam fleet show ${fleet}" names the servers of ${fleet}`,
    );
  }
  await refuseIfItSigns(operator, fleet, thing);
  if (dryRun) return { thing, found, sent: false, shared: [], left: found };
  await keepRoleAway(operator, fleet, thing);

  const removal: Removal = { revoke, shared: new Set(), revoked: new Set() };
  for (let attempt = 1, left = found; ; attempt += 1) {
    // It reports on over the connection that it has: AWS may take minutes to cut it after the certificate was revoked.
    if (attempt > 1) await orGone(operator.iotData.send(new DeleteConnectionCommand({ clientId: thing })));
    await removeTraces(operator, fleet, left, removal);
    await operator.clock.sleep(settleMs, signal);
    const now = await serverTraces(operator, thing);
    left = { ...now, certificates: [...new Set([...now.certificates, ...removal.revoked])] };
    const gone = isGone(left);
    if (gone || attempt === triesMax)
      return { thing, found, sent: true, shared: [...removal.shared], left: gone ? null : left };
  }
}

const nodeRule = 'it has 1 to 32 of a-z, 0-9 and -';

/** Commander gives no role to a server that is set to maintenance: from here on no grant comes to it. */
async function keepRoleAway(operator: Operator, fleet: string, thing: string): Promise<void> {
  const before = await readShadow(operator, thing, 'role');
  if (before === undefined || memberOf(before.reported, 'role') === 'sentry') return;
  await writeShadow(operator, thing, 'role', { state: { desired: { role: 'maintenance' } } });
  await refuseIfItSigns(operator, fleet, thing);
}

/** @throws ActionError */
async function refuseIfItSigns(operator: Operator, fleet: string, thing: string): Promise<void> {
  const { config } = await readFleetItems(operator, fleet);
  const [record, role] = await Promise.all([
    config?.recordKey === undefined ? undefined : readSignRecord(operator, config.recordKey),
    readShadow(operator, thing, 'role'),
  ]);
  const why = mayItSign(thing, record, role);
  if (why !== undefined) {
    throw new ActionError(
      `${thing} ${why}: switch to another server first (beam failover ${fleet}), or to end the fleet give the key back (beam signer export). Nothing was removed`,
    );
  }
}

/**
 * The record decides who may sign. Where the fleet names none, or it is not there, the role shadow is all that tells, and a server that
 * is called active there stays.
 * @returns why it may sign, or might; undefined: it may not
 */
export function mayItSign(
  thing: string,
  record: Pick<SignRecord, 'epoch' | 'holder' | 'grantEpoch' | 'grantTo'> | undefined,
  role: Pick<ShadowState, 'desired' | 'reported'> | undefined,
): string | undefined {
  if (record) {
    if (record.holder === thing) return `holds the right to sign (epoch ${record.epoch})`;
    if (record.grantTo === thing && record.grantEpoch > record.epoch)
      return `has been granted the right to sign (epoch ${record.grantEpoch})`;
    return undefined;
  }
  for (const section of ['reported', 'desired'] as const)
    if (memberOf(role?.[section], 'role') === 'active')
      return `is active by its role shadow (${section}), and the fleet has no sign record that says otherwise`;
  return undefined;
}

function memberOf(value: unknown, name: string): unknown {
  return (Object(value) as Record<string, unknown>)[name];
}

interface Removal extends Pick<RemoveServer, 'revoke'> {
  /** Certificates that are other things', too. */
  shared: Set<string>;
  /** Those that are not deleted yet. */
  revoked: Set<string>;
}

/**
 * Certificates first: nothing is reported with them any more. The fleet table before the shadows: Commander writes the role
 * shadow of each server that is in it anew.
 */
async function removeTraces(
  operator: Operator,
  fleet: string,
  { thing, registered, certificates, shadows, items }: ServerTraces,
  { revoke, shared, revoked }: Removal,
): Promise<void> {
  const { iot, iotData, dynamodb, fleetTable } = operator;
  for (const certificate of certificates) {
    if (revoked.has(certificate)) continue;
    const things = await thingsOf(operator, certificate);
    if (things.some((other) => other !== thing)) {
      shared.add(certificate);
      await iot.send(new DetachThingPrincipalCommand({ thingName: thing, principal: certificate }));
    } else {
      await revoke(certificate);
      revoked.add(certificate);
    }
  }
  for (const certificate of revoked) {
    const certificateId = certificate.slice(certificate.lastIndexOf('/') + 1);
    const deleted = await unlessAttached(iot.send(new DeleteCertificateCommand({ certificateId })));
    if (deleted) revoked.delete(certificate);
  }
  for (const item of items) {
    const Key = { [fleetTablePartitionKey]: { S: fleet }, [fleetTableSortKey]: { S: item } };
    await dynamodb.send(new DeleteItemCommand({ TableName: fleetTable, Key }));
  }
  if (registered) {
    const thingGroup = { thingName: thing, thingGroupName: thingGroupName(fleet) };
    await orGone(iot.send(new RemoveThingFromThingGroupCommand(thingGroup)));
    await unlessAttached(iot.send(new DeleteThingCommand({ thingName: thing })));
  }
  for (const shadowName of shadows)
    await orGone(iotData.send(new DeleteThingShadowCommand({ thingName: thing, shadowName })));
}

const nameOf = (error: unknown) => (error instanceof Error ? error.name : '');

async function orGone(sent: Promise<unknown>): Promise<void> {
  await sent.catch((error: unknown) => {
    if (nameOf(error) !== 'ResourceNotFoundException') throw error;
  });
}

/** AWS takes a certificate off a thing some seconds after it said so: until then neither can be deleted. @returns whether it was */
async function unlessAttached(sent: Promise<unknown>): Promise<boolean> {
  try {
    await sent;
    return true;
  } catch (error) {
    if (['DeleteConflictException', 'InvalidRequestException'].includes(nameOf(error))) return false;
    if (nameOf(error) === 'ResourceNotFoundException') return true;
    throw error;
  }
}
