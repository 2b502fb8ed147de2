/** The consensus key as other signers keep it. Errors never show what is in a file. */

import { consensusAddress } from '../core/service.ts';
import { expandedKey } from '../keys/expanded.ts';
import { parseKeyFile } from '../keys/file.ts';
import { KeyError } from '../keys/key-error.ts';
import { type KeyMaterial, signingKeyOf } from '../keys/key-material.ts';
import { combineShares, readShare } from './horcrux-shares.ts';
import { readSecret, type SecretFile } from './secret-file.ts';

export const importSources = ['filepv', 'tmkms', 'horcrux'] as const;
export type ImportSource = (typeof importSources)[number];

export interface FormerKey {
  material: KeyMaterial;
  address: string;
  publicKey: Uint8Array;
  files: { path: string; mode: number }[];
}

/** @throws KeyError */
export function readFormerKey(from: ImportSource, paths: string[]): FormerKey {
  if (from !== 'horcrux' && paths.length !== 1) {
    throw new KeyError(`${from} has its key in one file, and --key names ${paths.length}; name the one`);
  }
  const files = paths.map(readSecret);
  const material = from === 'horcrux' ? combineShares(files.map(readShare)) : single(from, files[0]);
  const { publicKey } = signingKeyOf(material);
  return {
    material,
    publicKey,
    address: consensusAddress(publicKey),
    files: files.map(({ path, mode }) => ({ path, mode })),
  };
}

const looksLikeJson = /^\s*\{/;

function single(from: 'filepv' | 'tmkms', file: SecretFile | undefined): KeyMaterial {
  if (!file) throw new KeyError('no key was given; name its file with --key');
  // tmkms' `key_format = "json"` is FilePV's file.
  if (from === 'filepv' || looksLikeJson.test(file.text)) return parseKeyFile(file.path, file.text);
  return softsignKey(file);
}

/**
 * tmkms' softsign file (src/key_utils.rs): base64 of a seed (32 bytes), of an expanded key (64), or of what a YubiHSM
 * exports (96: the scalar big-endian, the prefix, the public key).
 */
function softsignKey({ path, text }: SecretFile): KeyMaterial {
  const base64 = text.trim();
  const raw = /^[A-Za-z0-9+/]+={0,2}$/.test(base64) ? Buffer.from(base64, 'base64') : Buffer.alloc(0);
  const publicKeyAtEnd = raw.subarray(-32);
  switch (raw.length) {
    case 32:
      return { kind: 'seed', seed: raw };
    case 64: {
      // A seed with its public key behind it is what FilePV has; taken for an expanded key it would be another key.
      const asSeed: KeyMaterial = { kind: 'seed', seed: raw.subarray(0, 32) };
      if (publicKeyAtEnd.equals(signingKeyOf(asSeed).publicKey)) return asSeed;
      return { kind: 'expanded', key: expandedKey(raw) };
    }
    case 96: {
      const scalar = Buffer.from(raw.subarray(0, 32)).reverse();
      const material: KeyMaterial = {
        kind: 'expanded',
        key: expandedKey(Buffer.concat([scalar, raw.subarray(32, 64)])),
      };
      if (publicKeyAtEnd.equals(signingKeyOf(material).publicKey)) return material;
      throw new KeyError(`${path} holds a private key that does not belong to its public key; it is damaged`);
    }
    default:
      throw new KeyError(
        `${path} is no softsign key of tmkms (base64 of 32, 64 or 96 bytes, or a priv_validator_key.json); keys in a YubiHSM, Ledger or Fortanix never leave it and can't be imported`,
      );
  }
}
