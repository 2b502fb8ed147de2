/**
 * The consensus key encrypted under a passphrase: JSON of a format of our own over node:crypto's scrypt (RFC 7914) and
 * AES-256-GCM. Everything but the ciphertext and its tag is authenticated with it, so that no part of the file can be
 * changed without the passphrase. The parameters are the file's, within bounds: those that cost an attacker nothing, or
 * this machine its memory, are refused.
 */

import { createCipheriv, createDecipheriv, randomBytes, scryptSync } from 'node:crypto';
import * as z from 'zod';
import { expandedBytes, expandedKey } from './expanded.ts';
import { KeyError } from './key-error.ts';
import { type KeyMaterial, signingKeyOf } from './key-material.ts';

export const encryptedFormat = 'beam-encrypted-consensus-key';

/** OWASP's second choice, of 64 MiB: the signer's servers are small. */
const kdfDefault = { n: 2 ** 16, r: 8, p: 2 };
const kdfBounds = { nMin: 2 ** 14, nMax: 2 ** 20, rMin: 8, rMax: 32, pMin: 1, pMax: 16 };
/** Of `128 · N · r` (RFC 7914, section 2). */
const kdfBytesMax = 256 * 1024 * 1024;
/** Of `N · r · p`: some 10 s of one core. */
const kdfWorkMax = 2 ** 24;
const saltBytes = 16;
const nonceBytes = 12;
const tagBytes = 16;

/** Base64 of so many bytes. */
const base64Of = (bytes: number) =>
  z
    .base64()
    .refine((text) => Buffer.from(text, 'base64').length === bytes, `must be ${bytes} bytes in base64`);

const secretBytes = { seed: 32, expanded: 64 } as const;

const encryptedKey = z
  .strictObject({
    format: z.literal(encryptedFormat),
    version: z.literal(1),
    /** Of the key, for people and tools; proven on decryption. */
    publicKey: base64Of(32),
    form: z.enum(['seed', 'expanded']),
    kdf: z.strictObject({
      name: z.literal('scrypt'),
      n: z.number().int(),
      r: z.number().int(),
      p: z.number().int(),
      salt: base64Of(saltBytes),
    }),
    cipher: z.strictObject({ name: z.literal('aes-256-gcm'), nonce: base64Of(nonceBytes) }),
    ciphertext: z.base64().max(88),
    tag: base64Of(tagBytes),
  })
  .refine(({ form, ciphertext }) => Buffer.from(ciphertext, 'base64').length === secretBytes[form], {
    path: ['ciphertext'],
  });
type EncryptedKey = z.infer<typeof encryptedKey>;
type Header = Omit<EncryptedKey, 'ciphertext' | 'tag'>;

export function isEncryptedKey(value: unknown): boolean {
  return z.object({ format: z.literal(encryptedFormat) }).safeParse(value).success;
}

/** @returns the file's text */
export function encryptKey(material: KeyMaterial, passphrase: string, cost = kdfDefault): string {
  const header: Header = {
    format: encryptedFormat,
    version: 1,
    publicKey: publicKeyText(material),
    form: material.kind,
    kdf: { name: 'scrypt', ...cost, salt: randomBytes(saltBytes).toString('base64') },
    cipher: { name: 'aes-256-gcm', nonce: randomBytes(nonceBytes).toString('base64') },
  };
  const cipher = createCipheriv(
    'aes-256-gcm',
    keyOf(passphrase, header),
    Buffer.from(header.cipher.nonce, 'base64'),
  );
  cipher.setAAD(authenticated(header));
  const ciphertext = Buffer.concat([cipher.update(secretOf(material)), cipher.final()]).toString('base64');
  const file: EncryptedKey = { ...header, ciphertext, tag: cipher.getAuthTag().toString('base64') };
  return `${JSON.stringify(file, undefined, 2)}\n`;
}

/**
 * @param value the file's JSON
 * @param passphrase asked for once the file is known to be sound
 * @throws KeyError
 */
export function decryptKey(value: unknown, path: string, passphrase: () => string): KeyMaterial {
  const parsed = encryptedKey.safeParse(value);
  if (!parsed.success) throw notSound(path, parsed.error);
  const file = parsed.data;
  checkKdf(file.kdf, path);
  const decipher = createDecipheriv(
    'aes-256-gcm',
    keyOf(passphrase(), file),
    Buffer.from(file.cipher.nonce, 'base64'),
    {
      authTagLength: tagBytes,
    },
  );
  decipher.setAAD(authenticated(file));
  decipher.setAuthTag(Buffer.from(file.tag, 'base64'));
  let secret: Buffer;
  try {
    secret = Buffer.concat([decipher.update(Buffer.from(file.ciphertext, 'base64')), decipher.final()]);
  } catch (error) {
    throw new KeyError(
      `${path} does not open with this passphrase: the passphrase is wrong, or the file was changed; give the right one, or restore the file`,
      { cause: error },
    );
  }
  const material: KeyMaterial =
    file.form === 'seed' ? { kind: 'seed', seed: secret } : { kind: 'expanded', key: expandedKey(secret) };
  if (publicKeyText(material) !== file.publicKey) {
    throw new KeyError(
      `${path} names another public key than its own; it is damaged: make it again from the key`,
    );
  }
  return material;
}

function secretOf(material: KeyMaterial): Uint8Array {
  return material.kind === 'seed' ? material.seed : expandedBytes(material.key);
}

function publicKeyText(material: KeyMaterial): string {
  return Buffer.from(signingKeyOf(material).publicKey).toString('base64');
}

function notSound(path: string, error: z.ZodError): KeyError {
  const places = error.issues.map(({ path: at, code }) => at.join('.') || code).join(', ');
  return new KeyError(
    `${path} is an encrypted key, but damaged or of a version that this Beam does not know (${places}); restore it, or make it again with beam signer encrypt-key`,
  );
}

/** @throws KeyError for parameters that no tool of ours writes: too weak to keep the key, or too much for this machine */
function checkKdf({ n, r, p }: { n: number; r: number; p: number }, path: string): void {
  const { nMin, nMax, rMin, rMax, pMin, pMax } = kdfBounds;
  const powerOfTwo = Number.isInteger(Math.log2(n));
  const within = n >= nMin && n <= nMax && r >= rMin && r <= rMax && p >= pMin && p <= pMax;
  if (powerOfTwo && within && 128 * n * r <= kdfBytesMax && n * r * p <= kdfWorkMax) return;
  throw new KeyError(
    `${path} asks for scrypt with N=${n}, r=${r}, p=${p}, which is beyond what Beam takes (N a power of two from ${nMin} to ${nMax}, r ${rMin} to ${rMax}, p ${pMin} to ${pMax}, ${kdfBytesMax / 2 ** 20} MiB); the file was changed: restore it, or make it again with beam signer encrypt-key`,
  );
}

function keyOf(passphrase: string, { kdf: { n, r, p, salt } }: Header): Buffer {
  return scryptSync(passphrase.normalize('NFC'), Buffer.from(salt, 'base64'), 32, {
    N: n,
    r,
    p,
    maxmem: 128 * n * r + 128 * r * p + 2 ** 20,
  });
}

/** The header in one fixed form, whatever order or white space the file has. */
function authenticated({ format, version, publicKey, form, kdf, cipher }: Header): Buffer {
  const { name, n, r, p, salt } = kdf;
  return Buffer.from(
    JSON.stringify([format, version, publicKey, form, name, n, r, p, salt, cipher.name, cipher.nonce]),
  );
}
