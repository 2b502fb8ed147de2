/**
 * Horcrux's shares of a key, put together again. Its dealer (gitlab.com/unit410/threshold-ed25519, `DealShares`) hides the
 * scalar that RFC 8032 derives from the seed as the value at 0 of a random polynomial over the group's order; share i is
 * its value at i. So any `threshold` of them give the scalar back, and nothing gives back the seed, nor the nonce
 * prefix that belonged to it: a fresh random one takes its place, as a nonce need only be secret and never repeat.
 */

import { randomBytes } from 'node:crypto';
import * as z from 'zod';
import { groupOrder, littleEndian, publicKeyOf } from '../keys/expanded.ts';
import { KeyError } from '../keys/key-error.ts';
import type { KeyMaterial } from '../keys/key-material.ts';
import { type SecretFile, secretJson } from './secret-file.ts';

export interface Share {
  path: string;
  id: number;
  value: bigint;
  /** Of the whole key, 32 bytes. */
  publicKey: Buffer;
}

const base64 = z.string().regex(/^[A-Za-z0-9+/]+={0,2}$/);
const id = z.number().int().min(1).max(255);
/** `<chain id>_shard.json` of Horcrux 3. */
const shard = z.object({ pubKey: base64, privateShard: base64, id, keyType: z.string().optional() });
/** `share.json` of Horcrux 2. */
const oldShare = z.object({ pub_key: base64, secret_share: base64, id });

/** Before the 32 bytes of an Ed25519 key: protobuf's (field 1 of PublicKey), and go-amino's of older files. */
const publicKeyPrefixes = ['0a20', '1624de6420'];

/** @throws KeyError */
export function readShare({ path, text }: SecretFile): Share {
  const value = secretJson(text);
  const old = oldShare.safeParse(value);
  const parsed = old.success
    ? { pubKey: old.data.pub_key, privateShard: old.data.secret_share, id: old.data.id, keyType: undefined }
    : shard.safeParse(value).data;
  if (!parsed) {
    throw new KeyError(
      `${path} is no share of Horcrux: neither a <chain id>_shard.json (pubKey, privateShard, id) nor a share.json (pub_key, secret_share, id)`,
    );
  }
  if (parsed.keyType !== undefined && parsed.keyType !== 'ed25519') {
    throw new KeyError(
      `${path} is a share of a key of type ${parsed.keyType}; Beam signs with Ed25519 alone`,
    );
  }
  const told = Buffer.from(parsed.pubKey, 'base64');
  const prefix = told.subarray(0, -32).toString('hex');
  const secret = Buffer.from(parsed.privateShard, 'base64');
  if (told.length < 32 || !publicKeyPrefixes.includes(prefix) || secret.length !== 32) {
    throw new KeyError(`${path} is no share of an Ed25519 key: its public key or its share is damaged`);
  }
  return { path, id: parsed.id, value: littleEndian(secret), publicKey: told.subarray(-32) };
}

/**
 * @returns the whole key, checked against the public key that the shares name. Shares beyond the threshold are used too: a
 * wrong one among them shows.
 * @throws KeyError
 */
export function combineShares(
  shares: Share[],
  random: (bytes: number) => Uint8Array = randomBytes,
): KeyMaterial {
  const [first] = shares;
  if (!first) throw new KeyError('no share was given; name each file with --key');
  const stranger = shares.find(({ publicKey }) => !publicKey.equals(first.publicKey));
  if (stranger) {
    throw new KeyError(
      `${stranger.path} and ${first.path} are shares of different keys; give the shares of one chain`,
    );
  }
  for (const share of shares) {
    const twin = shares.find((other) => other !== share && other.id === share.id);
    if (twin) throw new KeyError(`${share.path} and ${twin.path} are both share ${share.id}; give each once`);
  }
  const scalar = valueAtZero(shares);
  const found = scalar === 0n ? undefined : publicKeyOf(scalar);
  if (!found || !first.publicKey.equals(found)) {
    throw new KeyError(
      `these ${shares.length} shares (${shares.map((share) => share.id).join(', ')}) do not give the key that they name: ` +
        'there are fewer than the threshold, or one of them is of another dealing of the same key, or damaged; give all that you have of one dealing',
    );
  }
  return { kind: 'expanded', key: { scalar, prefix: Uint8Array.from(random(32)) } };
}

/** Lagrange's interpolation over the group's order. */
function valueAtZero(shares: Share[]): bigint {
  let sum = 0n;
  for (const { id, value } of shares) {
    let over = 1n;
    let under = 1n;
    for (const other of shares) {
      if (other.id === id) continue;
      over = reduced(over * BigInt(other.id));
      under = reduced(under * BigInt(other.id - id));
    }
    sum = reduced(sum + value * over * inverse(under));
  }
  return sum;
}

function reduced(value: bigint): bigint {
  const rest = value % groupOrder;
  return rest < 0n ? rest + groupOrder : rest;
}

/** Fermat: the order is prime. */
function inverse(value: bigint): bigint {
  let result = 1n;
  let power = value;
  for (let exponent = groupOrder - 2n; exponent > 0n; exponent >>= 1n) {
    if (exponent & 1n) result = reduced(result * power);
    power = reduced(power * power);
  }
  return result;
}
