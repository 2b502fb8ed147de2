/** Names of fleets, nodes, things and the sign record's key (design, section 3). */

import * as z from 'zod';

export const thingTypeName = 'beam-pilot';

/** A fleet is one validator identity on one chain with all its servers. */
export const fleetName = z.string().regex(/^[a-z0-9-]{1,32}$/, 'must be 1 to 32 of a-z, 0-9 and -');
export const nodeName = z.string().regex(/^[a-z0-9-]{1,32}$/, 'must be 1 to 32 of a-z, 0-9 and -');
export const nodeKind = z.enum(['validator', 'sentry']);
export type NodeKind = z.infer<typeof nodeKind>;

/** `<fleet>_<node>`: the thing's name and its MQTT client id. */
export function thingName(fleet: string, node: string): string {
  return `${fleetName.parse(fleet)}_${nodeName.parse(node)}`;
}

/** @returns undefined where the name is not one of a Beam thing. */
export function parseThingName(thing: string): { fleet: string; node: string } | undefined {
  const match = /^([a-z0-9-]{1,32})_([a-z0-9-]{1,32})$/.exec(thing);
  return match?.[1] && match[2] ? { fleet: match[1], node: match[2] } : undefined;
}

export function thingGroupName(fleet: string): string {
  return `beam_${fleetName.parse(fleet)}`;
}

/** The policy that every pilot's certificate has (cloud-rules/policies). */
export const pilotPolicyName = 'beam-pilot';
/** Lets a pilot take a further certificate for its own thing. */
export const rotatePolicyName = 'beam-rotate';
/** Lets a validator's certificate have credentials for the sign record. */
export const validatorPolicyName = 'beam-validator';
/** Of a claim certificate: registers a fresh server, and nothing else. */
export const claimPolicyName = 'beam-claim';

/** The policies of a server's certificate; cloud-rules/templates attach the same. */
export function serverPolicyNames(kind: NodeKind): string[] {
  return [pilotPolicyName, rotatePolicyName, ...(kind === 'validator' ? [validatorPolicyName] : [])];
}

/** Provisioning templates (cloud-rules/templates): of a fresh server, and of a further certificate of one. */
export const serverTemplateName = 'beam-server';
export const rotateTemplateName = 'beam-rotate';

/** The role alias by which a validator's certificate has credentials for the sign record (cloud-rules/role-aliases). */
export const signerRoleAlias = 'beam-signer';
