import { createHash, createPrivateKey, createPublicKey, sign } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, test } from '@jest/globals';
import type { SigningKey } from '../core/ports.ts';
import type { KeySource } from '../home.ts';
import { encryptKeyFile } from './encrypt-file.ts';
import { encryptKey } from './encrypted.ts';
import { KeyError, KeyUnavailableError } from './key-error.ts';
import { openSigningKey } from './open.ts';

const root = mkdtempSync(join(tmpdir(), 'beam-keys-'));
let dir = root;
beforeEach(() => {
  dir = mkdtempSync(join(root, 'x'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const openPlain = (path: string) => openSigningKey({ kind: 'file', path, passphrase: undefined });

async function refusal(source: KeySource): Promise<string> {
  return await openSigningKey(source).then(
    () => 'opened',
    (error: unknown) => {
      if (!(error instanceof KeyError)) throw error;
      return error.message;
    },
  );
}

/** RFC 8032, 7.1, test 1. */
const seed = '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60';
const publicKey = 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a';
const bytes = (hex: string) => Buffer.from(hex, 'hex');

function keyFile(type: string, value: Buffer, told = bytes(publicKey)): string {
  const path = join(dir, 'key.json');
  const text = {
    pub_key: { type: 'tendermint/PubKeyEd25519', value: told.toString('base64') },
    priv_key: { type, value: value.toString('base64') },
  };
  writeFileSync(path, JSON.stringify(text), { mode: 0o600 });
  return path;
}

test('a key file of CometBFT signs as RFC 8032 does', async () => {
  const key = await openPlain(keyFile('tendermint/PrivKeyEd25519', bytes(seed + publicKey)));
  expect(Buffer.from(key.publicKey).toString('hex')).toBe(publicKey);
  expect(Buffer.from(await key.sign(new Uint8Array(0), 0)).toString('hex')).toBe(
    'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
  );
});

test.each<[string, () => string, RegExp]>([
  ['is missing', () => join(dir, 'none.json'), /can't be read/],
  [
    'is of another type',
    () => keyFile('tendermint/PrivKeySecp256k1', bytes(seed)),
    /Secp256k1.*Ed25519 alone/,
  ],
  ['is cut', () => keyFile('tendermint/PrivKeyEd25519', bytes(seed)), /32 bytes in place of 64/],
  [
    'does not belong to its public key',
    () => keyFile('tendermint/PrivKeyEd25519', bytes(seed + publicKey), Buffer.alloc(32)),
    /does not belong/,
  ],
  [
    'is readable by others',
    () => {
      const path = keyFile('tendermint/PrivKeyEd25519', bytes(seed + publicKey));
      chmodSync(path, 0o640);
      return path;
    },
    /mode 640.*chmod 600/,
  ],
  [
    'is no JSON',
    () => {
      const path = join(dir, 'key.json');
      writeFileSync(path, `secret ${seed}`, { mode: 0o600 });
      return path;
    },
    /not a priv_validator_key\.json/,
  ],
])('a key that %s is refused with a remedy, and nothing of it is shown', async (_, path, said) => {
  const shown = await refusal({ kind: 'file', path: path(), passphrase: undefined });
  expect(shown).toMatch(said);
  expect(shown).not.toContain(seed.slice(0, 12));
});

const passphrase = 'correct horse battery';
const signature = async (key: SigningKey) =>
  Buffer.from(await key.sign(Buffer.from('b'), 1000)).toString('hex');

/** A plain key, and where the encrypted one goes; its passphrase as a credential. */
function credentials(): { path: string; plain: string } {
  const plain = keyFile('tendermint/PrivKeyEd25519', bytes(seed + publicKey));
  const path = join(dir, 'encrypted.json');
  process.env.CREDENTIALS_DIRECTORY = join(dir, 'credentials');
  mkdirSync(process.env.CREDENTIALS_DIRECTORY);
  writeFileSync(join(dir, 'credentials/key'), `${passphrase}\n`);
  writeFileSync(join(dir, 'credentials/wrong'), 'correct horse batterx\n');
  return { path, plain };
}

test('an encrypted key signs as the plain one, and is never written over another', async () => {
  const { path, plain } = credentials();
  await encryptKeyFile(plain, path, passphrase);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  const text = readFileSync(path, 'utf8');
  for (const secret of [seed, Buffer.from(seed, 'hex').toString('base64').slice(0, 40), passphrase])
    expect(text).not.toContain(secret);
  const key = await openSigningKey({ kind: 'file', path, passphrase: 'credential:key' });
  expect(await signature(key)).toBe(await signature(await openPlain(plain)));
  await expect(encryptKeyFile(plain, path, passphrase)).rejects.toThrow(/there already.*not replaced/);
  await expect(encryptKeyFile(plain, join(dir, 'c'), 'short')).rejects.toThrow(/has 5 characters/);
}, 20_000);

type Written = Record<string, unknown> & { kdf: Record<string, unknown> };

test('each thing that can be wrong with an encrypted key is told by itself, and nothing of the key is shown', async () => {
  const { path, plain } = credentials();
  const whole: Written = JSON.parse(
    encryptKey({ kind: 'seed', seed: bytes(seed) }, passphrase, { n: 2 ** 14, r: 8, p: 1 }),
  );
  writeFileSync(path, '', { mode: 0o600 });
  const told = async (change: Partial<Written>, source: string | undefined = 'credential:key') => {
    writeFileSync(path, JSON.stringify({ ...whole, ...change }));
    return await refusal({ kind: 'file', path, passphrase: source });
  };
  const fd = openSync(join(dir, 'credentials/key'), 'r');
  expect(await told({}, `fd:${fd}`)).toBe('opened');
  const otherKey = Buffer.alloc(32, 7).toString('base64');
  expect(await told({}, 'credential:wrong')).toMatch(/does not open with this passphrase/);
  expect(await told({ publicKey: otherKey })).toMatch(/the file was changed/);
  expect(await told({ ciphertext: otherKey })).toMatch(/the file was changed/);
  expect(await told({ ciphertext: 'AAAA' })).toMatch(/damaged.*ciphertext/);
  expect(await told({ version: 2 })).toMatch(/version that this Beam does not know/);
  for (const [n, r, p] of [
    [2 ** 10, 8, 1],
    [2 ** 16 + 1, 8, 1],
    [2 ** 20, 32, 1],
    [2 ** 40, 8, 1],
    [2 ** 18, 8, 16],
  ])
    expect(await told({ kdf: { ...whole.kdf, n, r, p } })).toMatch(/scrypt with N=\d+.*beyond/);
  expect(await told({}, 'credential:none')).toMatch(/credential none can't be read.*ENOENT/);
  expect(await told({}, 'fd:987')).toMatch(/descriptor 987, which was not given/);
  expect(await refusal({ kind: 'file', path, passphrase: undefined })).toMatch(
    /nothing says where its passphrase/,
  );
  expect(await refusal({ kind: 'file', path: plain, passphrase: 'credential:key' })).toMatch(
    /is not encrypted/,
  );
  delete process.env.CREDENTIALS_DIRECTORY;
  expect(await told({})).toMatch(/no CREDENTIALS_DIRECTORY/);
  chmodSync(path, 0o644);
  expect(await told({})).toMatch(/mode 644.*chmod 600/);
}, 20_000);

/** As KMS's JSON protocol has it; what `answers` names is answered in place of a true one. */
async function fakeKms(answers: { key?: object; signature?: string; hang?: boolean } = {}) {
  const asked: { target: string; body: Record<string, string> }[] = [];
  const privateKey = createPrivateKey({
    key: Buffer.concat([bytes('302e020100300506032b657004220420'), bytes(seed)]),
    format: 'der',
    type: 'pkcs8',
  });
  const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  const server: Server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = JSON.parse(Buffer.concat(chunks).toString());
    const target = String(request.headers['x-amz-target']);
    asked.push({ target, body });
    if (target === 'TrentService.Sign' && answers.hang) return;
    const KeyId = 'arn:aws:kms:local:1:key/k';
    const answer =
      target === 'TrentService.Sign'
        ? {
            KeyId,
            SigningAlgorithm: body.SigningAlgorithm,
            Signature:
              answers.signature ??
              sign(null, Buffer.from(body.Message, 'base64'), privateKey).toString('base64'),
          }
        : {
            KeyId,
            KeySpec: 'ECC_NIST_EDWARDS25519',
            KeyUsage: 'SIGN_VERIFY',
            SigningAlgorithms: ['ED25519_SHA_512', 'ED25519_PH_SHA_512'],
            PublicKey: spki.toString('base64'),
            ...answers.key,
          };
    response.writeHead('__type' in answer ? 400 : 200, { 'content-type': 'application/x-amz-json-1.1' });
    response.end(JSON.stringify(answer));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const credentials = join(dir, 'aws');
  writeFileSync(credentials, '[default]\naws_access_key_id = a\naws_secret_access_key = b\n');
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const source: KeySource = { kind: 'kms', keyId: 'alias/fleet', region: 'local', endpoint, credentials };
  return {
    asked,
    source,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

test('a key in KMS (here a server of this test in its place) signs raw messages, by its ARN', async () => {
  const kms = await fakeKms();
  const key = await openSigningKey(kms.source);
  expect(Buffer.from(key.publicKey).toString('hex')).toBe(publicKey);
  const plain = await openPlain(keyFile('tendermint/PrivKeyEd25519', bytes(seed + publicKey)));
  expect(await signature(key)).toBe(await signature(plain));
  expect(kms.asked).toEqual([
    { target: 'TrentService.GetPublicKey', body: { KeyId: 'alias/fleet' } },
    {
      target: 'TrentService.Sign',
      body: {
        KeyId: 'arn:aws:kms:local:1:key/k',
        Message: Buffer.from('b').toString('base64'),
        MessageType: 'RAW',
        SigningAlgorithm: 'ED25519_SHA_512',
      },
    },
  ]);
  await expect(key.sign(Buffer.alloc(4097), 1000)).rejects.toThrow(/4096 bytes at most/);
  kms.close();
});

test.each<[string, Parameters<typeof fakeKms>[0], RegExp]>([
  [
    'of secp256k1',
    { key: { KeySpec: 'ECC_SECG_P256K1' } },
    /type ECC_SECG_P256K1; Beam signs with Ed25519 alone/,
  ],
  ['for key agreement', { key: { KeyUsage: 'KEY_AGREEMENT' } }, /KEY_AGREEMENT; make one/],
  ['whose public key is no Ed25519 key', { key: { PublicKey: 'AAAA' } }, /no Ed25519 public key/],
  [
    'that these credentials may not use',
    { key: { __type: 'AccessDeniedException' } },
    /lack kms:GetPublicKey/,
  ],
])('a KMS key %s (a server of this test in its place) is refused at the start', async (_, answers, said) => {
  const kms = await fakeKms(answers);
  expect(await refusal(kms.source)).toMatch(said);
  kms.close();
});

test('KMS (a server of this test in its place) that does not answer, or signs with another key, gives no signature', async () => {
  const wrong = createHash('sha512').update('wrong').digest('base64');
  const liar = await fakeKms({ signature: wrong });
  const lied = await openSigningKey(liar.source);
  await expect(signature(lied)).rejects.toThrow(/did not make/);
  const silent = await fakeKms({ hang: true });
  const key = await openSigningKey(silent.source);
  await expect(key.sign(Buffer.from('b'), 100)).rejects.toThrow(KeyUnavailableError);
  for (const kms of [liar, silent]) kms.close();
  await expect(openSigningKey(silent.source)).rejects.toThrow(KeyUnavailableError);
});
