/** Lets one server register itself with a claim certificate: once, as one kind, until a time. */

import { PutItemCommand } from '@aws-sdk/client-dynamodb';
import * as z from 'zod';
import { type Admission, admission, admissionItem } from '../../protocol/admission.ts';
import { toJsonItem } from '../../protocol/dynamodb-json.ts';
import type { NodeKind } from '../../protocol/names.ts';
import { InvalidInputError } from './errors.ts';
import type { Operator } from './operator.ts';

export interface AdmitServer {
  fleet: string;
  node: string;
  kind: NodeKind;
  zone?: string | undefined;
  hours: number;
  /** An EC2 instance's id, or `own`. */
  instance?: string | undefined;
  dryRun?: boolean;
}

const hourMs = 3_600_000;
/** Only an admission that is used again and again lasts longer. */
const onceHoursMax = 24 * 90;

/** An earlier admission of that server, used or not, is replaced. @throws InvalidInputError */
export async function admitServer(
  operator: Operator,
  { fleet, node, kind, zone, hours, instance, dryRun = false }: AdmitServer,
): Promise<Admission> {
  const parsed = admission.safeParse({
    fleet,
    node,
    item: admissionItem(node),
    kind,
    ...(zone === undefined ? {} : { zone }),
    ...(instance === undefined ? {} : { instance }),
    until: operator.clock.now() + hours * hourMs,
  });
  if (instance === 'own' && kind !== 'sentry') {
    throw new InvalidInputError("a validator is admitted by its instance's id: only sentries as `own`");
  }
  if (instance !== 'own' && hours > onceHoursMax) {
    throw new InvalidInputError(
      `${hours} hours are too long for an admission that is used once: ${onceHoursMax} at most`,
    );
  }
  if (!parsed.success) throw new InvalidInputError(z.prettifyError(parsed.error));
  if (!dryRun) {
    await operator.dynamodb.send(
      new PutItemCommand({ TableName: operator.fleetTable, Item: toJsonItem(parsed.data) }),
    );
  }
  return parsed.data;
}
