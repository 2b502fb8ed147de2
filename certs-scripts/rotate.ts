import {
  DescribeCertificateCommand,
  DetachPolicyCommand,
  DetachThingPrincipalCommand,
  type IoTClient,
  ListAttachedPoliciesCommand,
  ListPrincipalThingsCommand,
  ListThingPrincipalsCommand,
  UpdateCertificateCommand,
} from '@aws-sdk/client-iot';
import { parseThingName } from '../protocol/names.ts';
import { type Certificate, type OwnCertificate, type Registration, registerServer } from './register.ts';

/** `arn:aws:iot:…:cert/<id>` */
export function certificateIdOf(arn: string): string {
  return arn.slice(arn.lastIndexOf('/') + 1);
}

/** The certificates of a thing, by ARN. */
export async function certificatesOf(iot: IoTClient, thing: string): Promise<string[]> {
  const { principals = [] } = await iot.send(new ListThingPrincipalsCommand({ thingName: thing }));
  return principals.filter((principal) => principal.includes(':cert/'));
}

/**
 * A new certificate beside the old ones. They stay valid until `retire`, so the server changes over without a gap:
 * write the new files, see the running pilot connected with them, then retire the old.
 */
export async function rotate(
  iot: IoTClient,
  registration: Registration,
  given: string | OwnCertificate,
): Promise<Certificate & { thing: string; before: string[] }> {
  const thing = `${registration.fleet}_${registration.node}`;
  const before = await certificatesOf(iot, thing);
  return { ...(await registerServer(iot, registration, given)), before };
}

/**
 * Which of a thing's certificates a rotation has left behind: all but the newest.
 * @param keep an ARN that stays, in place of the newest
 */
export async function leftBehind(
  iot: IoTClient,
  thing: string,
  keep?: string,
): Promise<{ kept: string; old: string[] }> {
  const described = await Promise.all(
    (await certificatesOf(iot, thing)).map(async (arn) => {
      const { certificateDescription } = await iot.send(
        new DescribeCertificateCommand({ certificateId: certificateIdOf(arn) }),
      );
      return {
        arn,
        active: certificateDescription?.status === 'ACTIVE',
        at: certificateDescription?.creationDate?.getTime() ?? 0,
      };
    }),
  );
  const newest = described.filter(({ active }) => active).sort((a, b) => b.at - a.at)[0]?.arn;
  const kept = keep ?? newest;
  if (kept === undefined || !described.some(({ arn, active }) => arn === kept && active)) {
    throw new Error(
      `${keep ?? thing}: there is no active certificate of ${thing} to keep; nothing was revoked.`,
    );
  }
  return { kept, old: described.filter(({ arn }) => arn !== kept).map(({ arn }) => arn) };
}

/** Revokes a certificate and takes it off its things and policies. A connection that it has open is cut. */
export async function revoke(iot: IoTClient, certificateArn: string): Promise<{ things: string[] }> {
  await iot.send(
    new UpdateCertificateCommand({ certificateId: certificateIdOf(certificateArn), newStatus: 'REVOKED' }),
  );
  const { things = [] } = await iot.send(new ListPrincipalThingsCommand({ principal: certificateArn }));
  for (const thing of things) {
    await iot.send(new DetachThingPrincipalCommand({ thingName: thing, principal: certificateArn }));
  }
  const { policies = [] } = await iot.send(new ListAttachedPoliciesCommand({ target: certificateArn }));
  for (const { policyName } of policies) {
    if (policyName) await iot.send(new DetachPolicyCommand({ policyName, target: certificateArn }));
  }
  return { things: things.filter((thing) => parseThingName(thing) !== undefined) };
}
