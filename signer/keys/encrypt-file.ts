/** Makes an encrypted key file of a plain one. Nothing there is ever replaced. */

import { mkdir, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { consensusAddress } from '../core/service.ts';
import { createDurably } from '../disk/new-file.ts';
import { encryptKey } from './encrypted.ts';
import { KeyError } from './key-error.ts';
import { keyFileText, signingKeyOf } from './key-material.ts';
import { readKeyMaterial } from './open.ts';

/** Against one that is found by trying: 12 characters chosen at random. */
export const passphraseLengthMin = 12;

/**
 * Reads the plain key, encrypts it, writes it whole or not at all with mode 0600, and decrypts what is on disk then.
 * @returns the key's consensus address
 * @throws KeyError
 */
export async function encryptKeyFile(from: string, to: string, passphrase: string): Promise<string> {
  if (passphrase.length < passphraseLengthMin) {
    throw new KeyError(
      `the passphrase has ${passphrase.length} characters, and no person has to remember this one: give ${passphraseLengthMin} or more, chosen at random (openssl rand -base64 24)`,
    );
  }
  const material = readKeyMaterial(from, undefined);
  await mkdir(dirname(to), { recursive: true, mode: 0o700 });
  try {
    await createDurably(to, encryptKey(material, passphrase));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    throw new KeyError(`${to} is there already, and is not replaced; name another file with --out`);
  }
  const again = readKeyMaterial(to, () => passphrase);
  if (keyFileText(again) !== keyFileText(material)) {
    await unlink(to);
    throw new KeyError(`${to} was written and did not decrypt to the key, so it was removed; check the disk`);
  }
  return consensusAddress(signingKeyOf(material).publicKey);
}
