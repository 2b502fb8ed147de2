/** Keys and states of FilePV, tmkms and Horcrux, as files on disk; what comes out is checked by node:crypto alone. */

import { createHash, createPrivateKey, createPublicKey, randomBytes, sign, verify } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { openDynamo } from '../../local-cloud/dynamodb/server.ts';
import { roundMax } from '../../protocol/sign-position.ts';
import { createDurably } from '../disk/new-file.ts';
import { expandedBytes, expandedKey, groupOrder } from '../keys/expanded.ts';
import { keyFileText, signingKeyOf } from '../keys/key-material.ts';
import { readKeyMaterial } from '../keys/open.ts';
import { Bench, rawPublicKey, stateOf, until } from '../rehearsal/bench.ts';
import { readFormerKey } from './former-key.ts';
import { readFormerState } from './former-state.ts';
import { importKey } from './import.ts';

const root = mkdtempSync(join(tmpdir(), 'beam-import-'));
const bench = new Bench();
beforeAll(() =>
  bench.start((dir) => openDynamo(dir, { tables: [{ name: 'beam-sign', partitionKey: 'key' }] })),
);
afterEach(() => bench.clear());
afterAll(async () => {
  await bench.stop();
  rmSync(root, { recursive: true });
});

const pkcs8 = Buffer.from('302e020100300506032b657004220420', 'hex');
const privateKeyOf = (seed: Uint8Array) =>
  createPrivateKey({ key: Buffer.concat([pkcs8, seed]), format: 'der', type: 'pkcs8' });
const publicKeyOf = (seed: Uint8Array) =>
  createPublicKey(privateKeyOf(seed)).export({ format: 'der', type: 'spki' }).subarray(-32);
const verifies = (publicKey: Uint8Array, bytes: Uint8Array, signature: Uint8Array) => {
  const key = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), publicKey]);
  return verify(null, bytes, createPublicKey({ key, format: 'der', type: 'spki' }), signature);
};
/** RFC 8032, 5.1.5: what Horcrux shares the first half of. */
function expandedOf(seed: Uint8Array): Buffer {
  const digest = createHash('sha512').update(seed).digest();
  digest[0] = (digest[0] ?? 0) & 248;
  digest[31] = ((digest[31] ?? 0) & 127) | 64;
  return digest;
}
const little = (bytes: Uint8Array) => BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`);
const bytesOf = (value: bigint) => Buffer.from(value.toString(16).padStart(64, '0'), 'hex').reverse();

function file(name: string, text: string | object, mode = 0o600): string {
  const path = join(root, name);
  writeFileSync(path, typeof text === 'string' ? text : JSON.stringify(text), { mode });
  return path;
}

let dealings = 0;
/** Shares as Horcrux 3 writes them (`old`: Horcrux 2). */
function deal(seed: Uint8Array, threshold: number, total: number, old = false): string[] {
  const polynomial = [little(expandedOf(seed).subarray(0, 32))];
  while (polynomial.length < threshold) polynomial.push(little(randomBytes(32)) % groupOrder);
  const folder = ++dealings;
  return Array.from({ length: total }, (_, index) => {
    const id = index + 1;
    const value = polynomial.reduceRight((sum, one) => (sum * BigInt(id) + one) % groupOrder, 0n);
    const share = bytesOf(value).toString('base64');
    const pubKey = (prefix: string) =>
      Buffer.concat([Buffer.from(prefix, 'hex'), publicKeyOf(seed)]).toString('base64');
    return file(
      `dealing-${folder}-share-${id}.json`,
      old
        ? { pub_key: pubKey('1624de6420'), secret_share: share, id, rsa_key: 'AAAA', rsa_pubs: [] }
        : { pubKey: pubKey('0a20'), privateShard: share, id },
    );
  });
}

function subsets<T>(of: T[], size: number): T[][] {
  if (size === 0) return [[]];
  return of.flatMap((first, index) => subsets(of.slice(index + 1), size - 1).map((rest) => [first, ...rest]));
}

test('an expanded key signs what node:crypto verifies; with its own prefix the signature is RFC 8032’s to the bit', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ minLength: 32, maxLength: 32 }),
      fc.uint8Array({ maxLength: 200 }),
      async (seed, bytes) => {
        const key = signingKeyOf({ kind: 'expanded', key: expandedKey(expandedOf(seed)) });
        expect(Buffer.from(key.publicKey)).toEqual(publicKeyOf(seed));
        expect(Buffer.from(await key.sign(bytes, 1000))).toEqual(sign(null, bytes, privateKeyOf(seed)));
      },
    ),
    { numRuns: 25 },
  );
});

test('any shares of Horcrux from the threshold on give the key; the nonce’s secret is fresh each time', async () => {
  for (const [threshold, total, old] of [
    [2, 3, false],
    [3, 5, true],
  ] as const) {
    const seed = randomBytes(32);
    const shares = deal(seed, threshold, total, old);
    for (let size = 1; size <= total; size++) {
      for (const some of subsets(shares, size)) {
        if (size < threshold) {
          expect(() => readFormerKey('horcrux', some)).toThrow(/fewer than the threshold/);
          continue;
        }
        const { material, publicKey } = readFormerKey('horcrux', some);
        expect(Buffer.from(publicKey)).toEqual(publicKeyOf(seed));
        const bytes = randomBytes(100);
        const key = signingKeyOf(material);
        const signature = await key.sign(bytes, 1000);
        expect(await key.sign(bytes, 1000)).toEqual(signature);
        expect(verifies(publicKeyOf(seed), bytes, signature)).toBe(true);
        expect(Buffer.from(signature)).not.toEqual(sign(null, bytes, privateKeyOf(seed)));
      }
    }
  }
});

test('shares that do not belong together are refused, each with its reason', () => {
  const seed = randomBytes(32);
  const [a1 = '', a2 = '', a3 = ''] = deal(seed, 2, 3);
  const [b1 = ''] = deal(seed, 2, 3);
  const [c1 = ''] = deal(randomBytes(32), 2, 3);
  expect(() => readFormerKey('horcrux', [a1, a2, b1])).toThrow(/are both share 1/);
  expect(() => readFormerKey('horcrux', [b1, a2])).toThrow(/another dealing/);
  expect(() => readFormerKey('horcrux', [b1, a2, a3])).toThrow(/another dealing/);
  expect(() => readFormerKey('horcrux', [c1, a2])).toThrow(/different keys/);
  const bls = file('bls.json', { pubKey: 'AAAA', privateShard: 'AAAA', id: 1, keyType: 'bn254' });
  expect(() => readFormerKey('horcrux', [bls])).toThrow(/type bn254/);
  // As Horcrux's own documents show one.
  const published = file('published.json', {
    pubKey: 'CiCIu0WMSHxz/vavkpyuYC3FTo6/nqvF8wCUKMxwqG7YsQ==',
    privateShard: 'MqnT3qkD93YdbPkibp3rFtc2IUTtqn97Kgo5xlHblwE=',
    id: 1,
  });
  expect(() => readFormerKey('horcrux', [published])).toThrow(/fewer than the threshold/);
});

test('a softsign key of tmkms: a seed, an expanded key, one out of a YubiHSM, or JSON; what is none never shows', () => {
  const seed = randomBytes(32);
  const expanded = expandedBytes(expandedKey(expandedOf(seed)));
  const fromHsm = Buffer.concat([
    Buffer.from(expanded.subarray(0, 32)).reverse(),
    expanded.subarray(32),
    publicKeyOf(seed),
  ]);
  const json = keyFileText({ kind: 'seed', seed });
  const seedAndPublic = Buffer.concat([seed, publicKeyOf(seed)]);
  for (const [name, text] of [
    ['seed', `${seed.toString('base64')}\n`],
    ['expanded', expandedOf(seed).toString('base64')],
    ['hsm', fromHsm.toString('base64')],
    ['both', seedAndPublic.toString('base64')],
    ['json', json],
  ] as const) {
    const { publicKey } = readFormerKey('tmkms', [file(`softsign-${name}.key`, text)]);
    expect(Buffer.from(publicKey)).toEqual(publicKeyOf(seed));
  }
  const secret = randomBytes(33).toString('base64');
  for (const text of [secret, `{"priv_key": ${secret}`, '']) {
    const path = file('broken.key', text);
    expect(() => readFormerKey('tmkms', [path])).toThrow(/broken\.key/);
    expect(() => readFormerKey('tmkms', [path])).not.toThrow(secret.slice(0, 20));
  }
});

test('states of FilePV, tmkms and Horcrux are read; what is none is an error', () => {
  const states = {
    filepv: { height: '41', round: 2, step: 3, signature: 'AA==', signbytes: '08' },
    tmkms: { height: '42', round: '1', step: 2, block_id: null },
    horcrux: { height: '43', round: '0', step: 1, ephemeral_public: null, signature: 'AA==' },
  };
  const found = Object.entries(states).map(([name, state]) => readFormerState(file(`${name}.json`, state)));
  expect(found.map(({ position: { height, round, step } }) => [height, round, step])).toEqual([
    [41, 2, 3],
    [42, 1, 2],
    [43, 0, 1],
  ]);
  for (const broken of [
    { height: '-1', round: 0, step: 1 },
    { height: '1', step: 1 },
    { height: '1', round: 0, step: 7 },
  ]) {
    expect(() => readFormerState(file('broken.json', broken))).toThrow(/neither a priv_validator_state/);
  }
});

test('an import takes the key, waits for ten quiet blocks, and enrols above every state; broken off, it goes on', async () => {
  const home = bench.makeHome('a', false);
  const keyFile = join(home, 'signer/priv_validator_key.json');
  const source = file('old-key.json', readFileSync(keyFile, 'utf8'), 0o644);
  rmSync(keyFile);
  const states = [
    file('low.json', { height: '90', round: '0', step: 3 }),
    file('high.json', { height: '500', round: '4', step: 2 }),
  ];
  const given = {
    home,
    from: 'filepv' as const,
    keys: [source],
    guard: 'local' as const,
    take: async () => true,
  };
  await expect(importKey({ ...given, states: [] })).rejects.toThrow(/--without-state/);
  await expect(importKey({ ...given, states, take: async () => false })).rejects.toThrow(/not confirmed/);
  bench.chain.height = 480;
  bench.chain.blocksALook = 12;
  const dry = importKey({ ...given, states, dryRun: true, confirm: async () => false });
  await expect(dry).rejects.toThrow(/not confirmed/);
  expect(() => statSync(keyFile)).toThrow(/ENOENT/);

  // Broken off between the key and the enrolment.
  await expect(importKey({ ...given, states, confirm: async () => false })).rejects.toThrow(/not confirmed/);
  expect(statSync(keyFile).mode & 0o777).toBe(0o600);
  expect(Buffer.from(signingKeyOf(readKeyMaterial(keyFile, undefined)).publicKey)).toEqual(rawPublicKey);
  const node = bench.startNode(home);
  const signer = await bench.startSigner(home);
  expect(await node.ask({ height: 600, step: 2 })).toBe('not-enrolled');
  bench.chain.height = 100;
  // A state of a chain that is further: as a floor it would stand for ever.
  await expect(importKey({ ...given, states })).rejects.toThrow(/high\.json shows a signature at height 500/);

  bench.chain.height = 480;
  const { floor } = await importKey({ ...given, states });
  expect(floor).toEqual({ height: expect.any(Number), round: roundMax, step: 3 });
  expect(floor.height).toBeGreaterThanOrEqual(500);
  await until(stateOf(signer, 'local'), 'the enrolment taken up');
  expect(await node.ask({ height: floor.height, step: 3 })).toBe('position-below');
  expect(await node.settled({ height: floor.height + 1, step: 2 })).toBe('signed');

  await expect(createDurably(keyFile, 'another')).rejects.toThrow(/EEXIST/);
  const other = file('other.key', randomBytes(32).toString('base64'));
  await expect(importKey({ ...given, from: 'tmkms', keys: [other], states })).rejects.toThrow(
    /no key is ever overwritten/,
  );
  expect(Buffer.from(signingKeyOf(readKeyMaterial(keyFile, undefined)).publicKey)).toEqual(rawPublicKey);
}, 60_000);
