import type { IoTClient } from '@aws-sdk/client-iot';
import { claimPolicyName } from '../protocol/names.ts';
import { createCsr } from './csr.ts';
import { makeDeviceKey } from './device-key.ts';
import { registerCertificate } from './register.ts';

/**
 * A claim certificate, for images and fresh servers: with it a server that was admitted registers itself, and nothing else
 * can be done. The key is made here and goes with it.
 */
export async function makeClaim(
  iot: IoTClient,
): Promise<{ certificateArn: string; certificatePem: string; privateKeyPem: string }> {
  const privateKeyPem = makeDeviceKey();
  const csr = await createCsr(privateKeyPem, claimPolicyName);
  const { certificateArn, certificatePem } = await registerCertificate(iot, csr, [claimPolicyName]);
  return { certificateArn, certificatePem, privateKeyPem };
}
