/** Signatures of SNS's messages (developer guide, "Verifying the signatures of Amazon SNS messages"). */

import { createHash, sign } from 'node:crypto';
import type { KeyAndCertificate } from '../tls/issuer.ts';
import type { TopicRecord } from './records.ts';

export type SigningPair = () => Promise<KeyAndCertificate>;
/** 1: SHA-1, as SNS does where a topic says nothing. 2: SHA-256. */
export type SignatureVersion = '1' | '2';

export interface Signed {
  SignatureVersion: SignatureVersion;
  Signature: string;
  SigningCertURL: string;
}

const digests: Record<SignatureVersion, string> = { 1: 'RSA-SHA1', 2: 'RSA-SHA256' };
/** Those that a message has, in this order. */
const members = [
  'Message',
  'MessageId',
  'Subject',
  'SubscribeURL',
  'Timestamp',
  'Token',
  'TopicArn',
  'Type',
] as const;
export type Signable = { TopicArn: string } & { [K in (typeof members)[number]]?: string };

export function signatureVersion(topic: TopicRecord | undefined): SignatureVersion {
  return topic?.attributes.SignatureVersion === '2' ? '2' : '1';
}

/** As SNS names its file: another certificate has another name. */
const fileOf = (certificatePem: string) =>
  `SimpleNotificationService-${createHash('sha256').update(certificatePem).digest('hex').slice(0, 32)}.pem`;

export const isCertificatePath = (path: string) =>
  /^\/SimpleNotificationService-[0-9a-f]{32}\.pem$/.test(path);

/** @returns undefined where there is no certificate of this name */
export async function certificateAt(path: string, pair: SigningPair): Promise<string | undefined> {
  const { certificatePem } = await pair();
  return path === `/${fileOf(certificatePem)}` ? certificatePem : undefined;
}

/** @param address https://host:port */
export async function signed<E extends Signable>(
  envelope: E,
  pair: SigningPair,
  address: string,
  version: SignatureVersion,
): Promise<E & Signed> {
  const { privateKeyPem, certificatePem } = await pair();
  const text = members
    .flatMap((name) => (envelope[name] === undefined ? [] : [name, envelope[name]]))
    .map((line) => `${line}\n`)
    .join('');
  return {
    ...envelope,
    SignatureVersion: version,
    Signature: sign(digests[version], Buffer.from(text), privateKeyPem).toString('base64'),
    SigningCertURL: `${address}/${fileOf(certificatePem)}`,
  };
}
