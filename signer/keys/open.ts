/** The one way to the consensus key, whatever holds it: a file of CometBFT's, an encrypted one, or AWS KMS. */

import type { SigningKey } from '../core/ports.ts';
import type { KeySource } from '../home.ts';
import { decryptKey, isEncryptedKey } from './encrypted.ts';
import { parseKeyFile } from './file.ts';
import { KeyError } from './key-error.ts';
import { parseKeyJson, readKeyFile } from './key-file.ts';
import { type KeyMaterial, signingKeyOf } from './key-material.ts';
import { readPassphrase } from './passphrase.ts';

/** @throws KeyError, KeyUnavailableError: what is wrong with the key, and what to do. Never shows what is in it. */
export async function openSigningKey(source: KeySource): Promise<SigningKey> {
  if (source.kind === 'file') {
    const { path, passphrase } = source;
    return signingKeyOf(
      readKeyMaterial(path, passphrase === undefined ? undefined : () => readPassphrase(passphrase)),
    );
  }
  const [{ openKmsKey }, { sdkKms }] = await Promise.all([import('./kms.ts'), import('./kms-sdk.ts')]);
  const { keyId, ...client } = source;
  return await openKmsKey(sdkKms(client), keyId);
}

/**
 * The private key itself, of a key in a file: for export and import.
 * @param passphrase asked only for a sound encrypted file; undefined: a plain one is expected
 * @throws KeyError
 */
export function readKeyMaterial(path: string, passphrase: (() => string) | undefined): KeyMaterial {
  const text = readKeyFile(path);
  const value = parseKeyJson(text);
  const encrypted = isEncryptedKey(value);
  if (encrypted && passphrase) return decryptKey(value, path, passphrase);
  if (!encrypted && !passphrase) return parseKeyFile(path, text);
  throw new KeyError(
    encrypted
      ? `${path} is encrypted, and nothing says where its passphrase comes from; set [signer] passphrase to "credential:NAME" or "fd:NUMBER"`
      : `[signer] passphrase is set, but ${path} is not encrypted; encrypt it with beam signer encrypt-key, or remove the setting`,
  );
}
