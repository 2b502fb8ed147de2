/** Whether a server gets a certificate: the decisions of the pre-provisioning hook, over what was read for them. */

import * as z from 'zod';
import type { Admission, ProvisioningHookEvent } from '../../protocol/admission.ts';
import {
  type IdentityProof,
  type InstanceIdentity,
  identityParameters,
  identityProof,
  noIdentity,
} from '../../protocol/instance-identity.ts';
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
  | {
      for: 'server';
      fleet: string;
      node: string;
      kind: z.infer<typeof nodeKind>;
      /** What an EC2 instance sent of itself, not looked at yet. */
      proof?: IdentityProof;
    }
  | { for: 'rotation'; thing: string };

export type Decision = { refused: string } | { overrides: Record<string, string> };

/** An `own` admission takes an instance only so soon after its start: a document that was copied is of no use for long. */
export const freshMsMax = 3_600_000;

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
    const { [identityParameters.document]: document, [identityParameters.signature]: signature } = parameters;
    const server = { for: 'server', fleet: Fleet, node: Node, kind: Kind } as const;
    if (document === undefined || document === noIdentity) return server;
    const proof = identityProof.safeParse({ document, signature });
    if (!proof.success) return { refused: `bad identity document: ${z.prettifyError(proof.error)}` };
    return { ...server, proof: proof.data };
  }
  if (template === rotateTemplateName) {
    const thing = parameters.ThingName ?? '';
    return parseThingName(thing) ? { for: 'rotation', thing } : { refused: `${thing} is no server's name` };
  }
  return { refused: `the template ${template} is not Beam's` };
}

/**
 * @param found the admission as it is, and `undefined` where there is none
 * @param instance who the server is by AWS's signature, and `undefined` where it sent nothing, or nothing that could be checked
 */
export function admit(
  request: Extract<Request, { for: 'server' }>,
  certificateId: string,
  found: Admission | undefined,
  nowMs: number,
  instance?: InstanceIdentity,
): Decision {
  const name = `${request.fleet}_${request.node}`;
  if (!found)
    return { refused: `${name} is not admitted: beam fleet admit ${request.fleet} ${request.node}` };
  if (found.until <= nowMs) return { refused: `the admission of ${name} has ended` };
  if (found.kind !== request.kind)
    return { refused: `${name} is admitted as ${found.kind}, not ${request.kind}` };
  const wrongInstance = instanceFault(found, instance, nowMs);
  if (wrongInstance !== undefined) return { refused: `${name}: ${wrongInstance}` };
  const isNewer =
    found.instance === 'own' && instance !== undefined && (found.startedAt ?? 0) < instance.startedAt;
  if (found.certificateId !== undefined && found.certificateId !== certificateId && !isNewer) {
    return { refused: `the admission of ${name} was used by another certificate` };
  }
  const zone = found.zone ?? instance?.availabilityZone;
  return {
    overrides: {
      Kind: found.kind,
      ...(zone === undefined ? {} : { Zone: zone }),
      // Never the server's own word.
      InstanceId: instance?.instanceId ?? noIdentity,
    },
  };
}

function instanceFault(
  { instance: wanted, kind }: Admission,
  instance: InstanceIdentity | undefined,
  nowMs: number,
): string | undefined {
  if (wanted === undefined) return undefined;
  if (!instance) return 'it is admitted as an EC2 instance, and no identity document came that AWS signed';
  if (wanted !== 'own') {
    return wanted === instance.instanceId ? undefined : `${wanted} is admitted, not ${instance.instanceId}`;
  }
  // A validator's certificate opens the sign record: it is admitted by name.
  if (kind !== 'sentry') return 'only sentries are admitted as any instance of our own';
  if (nowMs - instance.startedAt > freshMsMax) {
    return `${instance.instanceId} was started more than ${freshMsMax / 60_000} minutes ago`;
  }
  return undefined;
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
