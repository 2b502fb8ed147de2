/**
 * The consensus key in AWS KMS (key spec ECC_NIST_EDWARDS25519): it signs there, and no host can export it. What KMS answers
 * is not trusted: a signature leaves only if it verifies under the public key that this process read at its start.
 */

import { verify } from 'node:crypto';
import type { SigningKey } from '../core/ports.ts';
import { KeyError, KeyUnavailableError, otherKeyType } from './key-error.ts';
import { publicKeyOfSpki } from './spki.ts';

/** The two calls that the signer makes. Both reject with the SDK's errors. */
export interface KmsApi {
  publicKey(keyId: string, signal: AbortSignal): Promise<KmsPublicKey>;
  /** ED25519_SHA_512 over the message itself. */
  sign(keyId: string, message: Uint8Array, signal: AbortSignal): Promise<Uint8Array | undefined>;
}

export interface KmsPublicKey {
  arn: string | undefined;
  spec: string | undefined;
  usage: string | undefined;
  algorithms: readonly string[];
  /** DER, SubjectPublicKeyInfo. */
  spki: Uint8Array | undefined;
}

export const kmsKeySpec = 'ECC_NIST_EDWARDS25519';
export const kmsAlgorithm = 'ED25519_SHA_512';
const openMsMax = 5000;
/** Of a `Sign` with MessageType RAW; larger ones would be signed as a digest, which is another algorithm. */
export const kmsMessageBytesMax = 4096;

/** KMS's errors that another try does not mend, each with what to do. */
const remedies: Record<string, string> = {
  AccessDeniedException: 'the credentials lack kms:GetPublicKey or kms:Sign on it: see the key policy',
  NotFoundException: 'there is no such key in this region: check key_id and region',
  InvalidArnException: 'key_id is no ARN of a KMS key: correct it',
  DisabledException: 'the key is disabled: enable it',
  KMSInvalidStateException: 'the key is pending deletion or import: cancel that',
  InvalidKeyUsageException: 'the key is not one for signing',
  UnsupportedOperationException: 'the key is not one for signing',
  UnrecognizedClientException: 'AWS does not know the credentials',
  CredentialsProviderError: 'there are no AWS credentials: check [cloud] credentials',
};

/**
 * @throws KeyError where the key can't be used; KeyUnavailableError where KMS does not answer
 */
export async function openKmsKey(kms: KmsApi, keyId: string): Promise<SigningKey> {
  const where = `the KMS key ${keyId}`;
  const found = await kms.publicKey(keyId, AbortSignal.timeout(openMsMax)).catch((error: unknown) => {
    throw openError(where, error);
  });
  if (found.spec !== kmsKeySpec) throw otherKeyType(where, found.spec ?? 'unknown');
  if (found.usage !== 'SIGN_VERIFY' || !found.algorithms.includes(kmsAlgorithm)) {
    throw new KeyError(`${where} has usage ${found.usage}; make one with key usage SIGN_VERIFY`);
  }
  const publicKey = found.spki && publicKeyOfSpki(found.spki);
  if (!publicKey)
    throw new KeyError(`KMS gave no Ed25519 public key for ${where}; check [signer.kms] endpoint`);
  // An alias may be pointed at another key while this process runs.
  const id = found.arn ?? keyId;
  return {
    publicKey: publicKey.raw,
    async sign(bytes, timeoutMs) {
      if (bytes.length > kmsMessageBytesMax) {
        throw new KeyError(
          `KMS signs ${kmsMessageBytesMax} bytes at most, this is of ${bytes.length} (a vote extension of this chain): use a key in a file`,
        );
      }
      const signature = await within(timeoutMs, (signal) => kms.sign(id, bytes, signal));
      if (!signature || !verify(null, bytes, publicKey.key, signature)) {
        throw new KeyError(`KMS answered with a signature that ${where} did not make; it stays here`);
      }
      return signature;
    },
  };
}

/** The SDK resolves credentials before it looks at its signal. */
async function within<T>(timeoutMs: number, call: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const timeUp = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  try {
    return await Promise.race([
      call(timeUp.signal),
      new Promise<never>((_, reject) => {
        timer = setTimeout(() => {
          reject(new KeyUnavailableError(`KMS did not answer within ${Math.round(timeoutMs)} ms`));
          timeUp.abort();
        }, timeoutMs);
      }),
    ]);
  } finally {
    clearTimeout(timer);
  }
}

function openError(where: string, error: unknown): KeyError {
  const { name, message } = error as Error;
  const remedy = remedies[name];
  if (remedy) return new KeyError(`${where} can't be used (${name}): ${remedy}`, { cause: error });
  return new KeyUnavailableError(
    `${where} can't be reached (${name}: ${message}); the signer tries again when it is started again`,
    {
      cause: error,
    },
  );
}
