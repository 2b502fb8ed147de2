/** Carries out a resolved provisioning template: thing, groups, certificate and policies. May be repeated. */

import { createHash } from 'node:crypto';
import type { ProvisioningPlan } from '../engines/provisioning-template.ts';
import { arn } from './arns.ts';
import { AwsError, invalidRequest } from './aws-error.ts';
import type { Registry } from './registry.ts';

const conflict = (message: string) => new AwsError(409, 'ResourceRegistrationFailureException', message);

export interface Registered {
  certificateId?: string;
  certificatePem?: string;
  thingName?: string;
}

/** @throws AwsError before anything is changed where something that the plan names is missing or in the way */
export async function registerThing(registry: Registry, plan: ProvisioningPlan): Promise<Registered> {
  check(registry, plan);
  const { things, policies, certificates } = registry;
  const certificate = plan.certificate && (await certificateOf(registry, plan.certificate.from));
  const names: string[] = [];
  for (const policy of plan.policies) {
    if ('name' in policy) names.push(policy.name);
    else {
      const name = createHash('sha256').update(policy.document).digest('hex').slice(0, 40);
      await policies.ensure(name, policy.document);
      names.push(name);
    }
  }
  const { thing } = plan;
  if (thing) {
    await makeThing(registry, thing);
    if (certificate) await things.attach(thing.thingName, certificate.certificateId);
  }
  if (certificate && plan.certificate) {
    for (const name of names) await policies.attach(name, arn('cert', certificate.certificateId));
    // Last: nobody connects with it before all else is in place.
    const { status, override } = plan.certificate;
    const settles = certificate.status === 'PENDING_ACTIVATION' || override === 'REPLACE';
    if (settles && certificate.status !== status)
      await certificates.update(certificate.certificateId, status);
  }
  return {
    ...(certificate ? { certificateId: certificate.certificateId, certificatePem: certificate.pem } : {}),
    ...(thing ? { thingName: thing.thingName } : {}),
  };
}

function check({ things, groups, policies, certificates }: Registry, plan: ProvisioningPlan): void {
  for (const policy of plan.policies) {
    if ('name' in policy) policies.get(policy.name);
  }
  const { thing, certificate } = plan;
  if (certificate && 'id' in certificate.from) {
    const { status } = certificates.get(certificate.from.id);
    if (status === 'REVOKED') throw invalidRequest(`The certificate ${certificate.from.id} is REVOKED`);
    if (certificate.override === 'FAIL' && status !== 'PENDING_ACTIVATION' && status !== certificate.status) {
      throw conflict(`The certificate ${certificate.from.id} is ${status}`);
    }
  }
  if (!thing) return;
  for (const group of thing.groups) groups.get(group);
  if (thing.thingTypeName !== undefined) things.getType(thing.thingTypeName);
  const existing = things.find(thing.thingName);
  if (existing && Object.values(thing.override).includes('FAIL')) {
    throw conflict(`The thing ${thing.thingName} exists already`);
  }
}

async function certificateOf(
  { certificates }: Registry,
  from: NonNullable<ProvisioningPlan['certificate']>['from'],
) {
  if ('id' in from) return certificates.get(from.id);
  if ('csr' in from) return certificates.createFromCsr(from.csr, false);
  return certificates.registerSigned(from.pem, 'INACTIVE', from.caPem);
}

async function makeThing(
  { things, groups }: Registry,
  { thingName, thingTypeName, attributes, groups: wanted, override }: NonNullable<ProvisioningPlan['thing']>,
): Promise<void> {
  const existing = things.find(thingName);
  if (!existing) {
    await things.create(thingName, thingTypeName, { attributes });
  } else {
    const change = {
      ...(override.type === 'REPLACE' && thingTypeName !== undefined ? { thingTypeName } : {}),
      ...(override.attributes === 'DO_NOTHING'
        ? {}
        : { attributePayload: { attributes, merge: override.attributes === 'MERGE' } }),
    };
    if (Object.keys(change).length > 0) await things.update(thingName, change);
  }
  if (existing && override.groups === 'DO_NOTHING') return;
  if (override.groups === 'REPLACE') {
    for (const group of groups.groupsOf(thingName)) {
      if (!wanted.includes(group)) await groups.remove(group, thingName);
    }
  }
  for (const group of wanted) await groups.add(group, thingName);
}
