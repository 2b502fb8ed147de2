/**
 * Registers servers with AWS IoT, or with the local cloud: the same calls, another endpoint. Each step may be
 * repeated: a registration that broke off half way is ended by calling it again.
 */

import {
  AddThingToThingGroupCommand,
  AttachPolicyCommand,
  AttachThingPrincipalCommand,
  CreateCertificateFromCsrCommand,
  CreateThingCommand,
  CreateThingGroupCommand,
  CreateThingTypeCommand,
  DescribeCertificateCommand,
  type IoTClient,
  RegisterCertificateCommand,
  RegisterCertificateWithoutCACommand,
  UpdateThingCommand,
} from '@aws-sdk/client-iot';
import {
  type NodeKind,
  serverPolicyNames,
  thingGroupName,
  thingName,
  thingTypeName,
} from '../protocol/names.ts';
import { fingerprintOf } from './x509.ts';

export interface Registration {
  fleet: string;
  node: string;
  kind: NodeKind;
  zone?: string | undefined;
}

export interface Certificate {
  certificateArn: string;
  certificateId: string;
  certificatePem: string;
}

/** PEM. */
export interface OwnCertificate {
  certificatePem: string;
  caPem?: string | undefined;
}

/** What AWS answers when a name is taken with other attributes. */
function existsAlready(error: unknown): boolean {
  return error instanceof Error && error.name === 'ResourceAlreadyExistsException';
}

/** The fleet's thing type and group. */
export async function registerFleet(iot: IoTClient, fleet: string): Promise<void> {
  const exists = (error: unknown) => {
    if (!existsAlready(error)) throw error;
  };
  await iot
    .send(
      new CreateThingTypeCommand({
        thingTypeName,
        thingTypeProperties: {
          thingTypeDescription: 'A server of a Beam fleet',
          searchableAttributes: ['fleet', 'kind', 'zone'],
        },
      }),
    )
    .catch(exists);
  await iot.send(new CreateThingGroupCommand({ thingGroupName: thingGroupName(fleet) })).catch(exists);
}

/** The thing with its attributes, in its fleet's group. @returns its name */
export async function registerThing(
  iot: IoTClient,
  { fleet, node, kind, zone }: Registration,
): Promise<string> {
  const thing = thingName(fleet, node);
  const attributePayload = { attributes: { fleet, kind, ...(zone ? { zone } : {}) }, merge: true };
  try {
    await iot.send(new CreateThingCommand({ thingName: thing, thingTypeName, attributePayload }));
  } catch (error) {
    if (!existsAlready(error)) throw error;
    await iot.send(new UpdateThingCommand({ thingName: thing, attributePayload }));
  }
  await iot.send(
    new AddThingToThingGroupCommand({ thingName: thing, thingGroupName: thingGroupName(fleet) }),
  );
  return thing;
}

/** An active certificate for the CSR's key, with the policies attached. */
export async function registerCertificate(
  iot: IoTClient,
  csrPem: string,
  policyNames: readonly string[],
): Promise<Certificate> {
  const made = await iot.send(
    new CreateCertificateFromCsrCommand({ certificateSigningRequest: csrPem, setAsActive: true }),
  );
  const { certificateArn, certificateId, certificatePem } = made;
  if (!certificateArn || !certificateId || !certificatePem) {
    throw new Error('AWS IoT answered CreateCertificateFromCsr without a certificate; call it again.');
  }
  for (const policyName of policyNames) {
    await iot.send(new AttachPolicyCommand({ policyName, target: certificateArn }));
  }
  return { certificateArn, certificateId, certificatePem };
}

/**
 * A certificate of one's own authority, active, with the policies attached. May be repeated.
 * @param caPem the authority that is registered; undefined: the certificate alone is, whoever signed it (multi-account registration)
 */
export async function registerOwnCertificate(
  iot: IoTClient,
  { certificatePem, caPem }: OwnCertificate,
  policyNames: readonly string[],
): Promise<Certificate> {
  const command =
    caPem === undefined
      ? new RegisterCertificateWithoutCACommand({ certificatePem, status: 'ACTIVE' })
      : new RegisterCertificateCommand({ certificatePem, caCertificatePem: caPem, status: 'ACTIVE' });
  try {
    await iot.send(command);
  } catch (error) {
    if (!existsAlready(error)) throw error;
  }
  const certificateId = fingerprintOf(certificatePem);
  const { certificateDescription } = await iot.send(new DescribeCertificateCommand({ certificateId }));
  const { certificateArn, status } = certificateDescription ?? {};
  if (!certificateArn || status !== 'ACTIVE') {
    throw new Error(
      `The certificate ${certificateId} is registered already, and is ${status ?? 'unknown'}: issue another one.`,
    );
  }
  for (const policyName of policyNames) {
    await iot.send(new AttachPolicyCommand({ policyName, target: certificateArn }));
  }
  return { certificateArn, certificateId, certificatePem };
}

/** A server whole: fleet, thing, and a certificate for its own key: for the CSR, or one of an authority of one's own. */
export async function registerServer(
  iot: IoTClient,
  registration: Registration,
  given: string | OwnCertificate,
): Promise<Certificate & { thing: string }> {
  await registerFleet(iot, registration.fleet);
  const thing = await registerThing(iot, registration);
  const policies = serverPolicyNames(registration.kind);
  const certificate = await (typeof given === 'string'
    ? registerCertificate(iot, given, policies)
    : registerOwnCertificate(iot, given, policies));
  await iot.send(
    new AttachThingPrincipalCommand({ thingName: thing, principal: certificate.certificateArn }),
  );
  return { ...certificate, thing };
}
