/** Whether a server gets a certificate: the decisions of the pre-provisioning hook, over what was read for them. */

import * as z from 'zod';
import type { Admission, ProvisioningHookEvent } from '../../protocol/admission.ts';
import {
  fleetName,
  nodeKind,
  nodeName,
  parseThingName,
  rotateTemplateName,
  serverTemplateName,
} from '../../protocol/names.ts';

/** Certificates that a thing may have at once; more than this is no rotation. */
export const certificatesMax = 3;

export type Request =
  | { for: 'server'; fleet: string; node: string; kind: z.infer<typeof nodeKind> }
  | { for: 'rotation'; thing: string };

export type Decision = { refused: string } | { overrides: Record<string, string> };

const serverParameters = z.object({ Fleet: fleetName, Node: nodeName, Kind: nodeKind });

/** @returns what is asked for, or why it is nothing that Beam gives */
export function requestOf({
  templateArn,
  parameters,
}: Pick<ProvisioningHookEvent, 'templateArn' | 'parameters'>): Request | { refused: string } {
  const template = templateArn.slice(templateArn.lastIndexOf('/') + 1);
  if (template === serverTemplateName) {
    const parsed = serverParameters.safeParse(parameters);
    if (!parsed.success) return { refused: `bad parameters: ${z.prettifyError(parsed.error)}` };
    const { Fleet, Node, Kind } = parsed.data;
    return { for: 'server', fleet: Fleet, node: Node, kind: Kind };
  }
  if (template === rotateTemplateName) {
    const thing = parameters.ThingName ?? '';
    return parseThingName(thing) ? { for: 'rotation', thing } : { refused: `${thing} is no server's name` };
  }
  return { refused: `the template ${template} is not Beam's` };
}

/** @param found the admission as it is, and `undefined` where there is none */
export function admit(
  request: Extract<Request, { for: 'server' }>,
  certificateId: string,
  found: Admission | undefined,
  nowMs: number,
): Decision {
  const name = `${request.fleet}_${request.node}`;
  if (!found)
    return { refused: `${name} is not admitted: beam fleet admit ${request.fleet} ${request.node}` };
  if (found.until <= nowMs) return { refused: `the admission of ${name} has ended` };
  if (found.kind !== request.kind)
    return { refused: `${name} is admitted as ${found.kind}, not ${request.kind}` };
  if (found.certificateId !== undefined && found.certificateId !== certificateId) {
    return { refused: `the admission of ${name} was used by another certificate` };
  }
  return { overrides: { Kind: found.kind, ...(found.zone === undefined ? {} : { Zone: found.zone }) } };
}

/** @param thing what the registry has of it; undefined where there is none */
export function admitRotation(
  { thing: name }: Extract<Request, { for: 'rotation' }>,
  { claimCertificateId, certificateId }: Pick<ProvisioningHookEvent, 'claimCertificateId' | 'certificateId'>,
  thing: { kind: string | undefined; certificateIds: readonly string[] } | undefined,
): Decision {
  if (!thing) return { refused: `there is no thing ${name}` };
  if (!thing.certificateIds.includes(claimCertificateId)) {
    return { refused: `the certificate ${claimCertificateId} is not one of ${name}` };
  }
  const others = thing.certificateIds.filter((id) => id !== certificateId);
  if (others.length >= certificatesMax) {
    return { refused: `${name} has ${others.length} certificates: beam certs retire ${name}` };
  }
  const kind = nodeKind.safeParse(thing.kind);
  if (!kind.success) return { refused: `the thing ${name} has no attribute kind` };
  return { overrides: { Kind: kind.data } };
}
