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
  type IoTClient,
  UpdateThingCommand,
} from '@aws-sdk/client-iot';
import {
  type NodeKind,
  serverPolicyNames,
  thingGroupName,
  thingName,
  thingTypeName,
} from '../protocol/names.ts';

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

/** A server whole: fleet, thing, and a certificate for its own key. */
export async function registerServer(
  iot: IoTClient,
  registration: Registration,
  csrPem: string,
): Promise<Certificate & { thing: string }> {
  await registerFleet(iot, registration.fleet);
  const thing = await registerThing(iot, registration);
  const certificate = await registerCertificate(iot, csrPem, serverPolicyNames(registration.kind));
  await iot.send(
    new AttachThingPrincipalCommand({ thingName: thing, principal: certificate.certificateArn }),
  );
  return { ...certificate, thing };
}
