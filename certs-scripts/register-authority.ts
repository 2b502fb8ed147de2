/**
 * Registers an authority of one's own with AWS IoT, or with the local cloud: the same calls, another endpoint. With mode SNI_ONLY
 * several accounts may register the same one (multi-account registration).
 */

import {
  DeleteCACertificateCommand,
  DescribeCACertificateCommand,
  GetRegistrationCodeCommand,
  type IoTClient,
  paginateListCertificatesByCA,
  RegisterCACertificateCommand,
  UpdateCACertificateCommand,
} from '@aws-sdk/client-iot';
import { type Authority, issueFromCsr } from './ca.ts';
import { createCsr } from './csr.ts';
import { makeDeviceKey } from './device-key.ts';
import { justInTimeTemplate } from './just-in-time-template.ts';
import { fingerprintOf } from './x509.ts';

/** infra/modules/commander makes it; fleet provisioning has it, too. */
const provisioningRoleName = 'beam-provisioning';
const verificationDays = 1;

export interface AuthorityRegistration {
  mode: 'DEFAULT' | 'SNI_ONLY';
  /**
   * `off`; `register`: a device's certificate is registered when it first connects, and waits for whoever activates it;
   * `provision`: it becomes the thing that its subject names.
   */
  justInTime: 'off' | 'register' | 'provision';
}

/** May be repeated: an authority that is registered is brought to this. */
export async function registerAuthority(
  iot: IoTClient,
  authority: Authority,
  { mode, justInTime }: AuthorityRegistration,
): Promise<{ certificateId: string; certificateArn: string; before: boolean }> {
  const certificateId = fingerprintOf(authority.certificatePem);
  let before = false;
  try {
    await iot.send(
      new RegisterCACertificateCommand({
        caCertificate: authority.certificatePem,
        certificateMode: mode,
        ...(mode === 'DEFAULT' && { verificationCertificate: await verificationOf(iot, authority) }),
      }),
    );
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'ResourceAlreadyExistsException') throw error;
    before = true;
  }
  const { certificateDescription } = await iot.send(new DescribeCACertificateCommand({ certificateId }));
  const { certificateArn = '', ownedBy = '', certificateMode } = certificateDescription ?? {};
  if (certificateMode !== undefined && certificateMode !== mode) {
    throw new Error(
      `The authority ${certificateId} is registered in mode ${certificateMode}, which can't be changed: take it off first (beam certs remove-ca).`,
    );
  }
  const partition = certificateArn.split(':')[1] ?? 'aws';
  await iot.send(
    new UpdateCACertificateCommand({
      certificateId,
      newStatus: 'ACTIVE',
      newAutoRegistrationStatus: justInTime === 'off' ? 'DISABLE' : 'ENABLE',
      ...(justInTime === 'provision' && {
        registrationConfig: {
          roleArn: `arn:${partition}:iam::${ownedBy}:role/${provisioningRoleName}`,
          templateBody: JSON.stringify(justInTimeTemplate),
        },
      }),
      ...(justInTime !== 'provision' && before && { removeAutoRegistration: true }),
    }),
  );
  return { certificateId, certificateArn, before };
}

/** Shows that the authority's key is ours: it signs a certificate over the account's registration code. */
async function verificationOf(iot: IoTClient, authority: Authority): Promise<string> {
  const { registrationCode } = await iot.send(new GetRegistrationCodeCommand({}));
  if (!registrationCode)
    throw new Error('AWS IoT answered GetRegistrationCode without a code; call it again.');
  const csr = await createCsr(makeDeviceKey(), registrationCode);
  return issueFromCsr(authority, csr, { days: verificationDays });
}

/** Takes an authority off. Certificates that it signed and that are registered stay, and stay valid. */
export async function removeAuthority(iot: IoTClient, certificateId: string): Promise<void> {
  await iot.send(new UpdateCACertificateCommand({ certificateId, newStatus: 'INACTIVE' }));
  await iot.send(new DeleteCACertificateCommand({ certificateId }));
}

/** ARNs of the certificates that are registered under an authority, with their ids. */
export async function certificatesUnder(
  iot: IoTClient,
  caCertificateId: string,
): Promise<{ certificateArn: string; certificateId: string; status: string }[]> {
  const found: { certificateArn: string; certificateId: string; status: string }[] = [];
  for await (const { certificates = [] } of paginateListCertificatesByCA(
    { client: iot },
    { caCertificateId },
  )) {
    for (const { certificateArn, certificateId, status } of certificates) {
      if (certificateArn && certificateId)
        found.push({ certificateArn, certificateId, status: status ?? '' });
    }
  }
  return found;
}
