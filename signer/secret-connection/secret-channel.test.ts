import { generateKeyPairSync, sign } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { checkPinned, connectionKey, nodeId } from './node-identity.ts';
import {
  type ConnectionKey,
  FrameCounter,
  rawPublicKey,
  SecretChannel,
  SecretChannelError,
  sealedFrameBytes,
} from './secret-channel.ts';

const folder = mkdtempSync(join(tmpdir(), 'beam-channel-'));
afterAll(() => rmSync(folder, { recursive: true }));

function someKey(): ConnectionKey {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  return { publicKey: rawPublicKey(publicKey), sign: (bytes) => sign(null, bytes, privateKey) };
}

const anybody = () => {};
const [ours, theirs] = [someKey(), someKey()];

/** Both sides are the same, so one of ours can stand for the node. */
function channels(checkPeer: (key: Uint8Array) => void = anybody, nodesKey = theirs) {
  const signer = new SecretChannel({ key: ours, checkPeer });
  const node = new SecretChannel({ key: nodesKey, checkPeer: anybody });
  return { signer, node };
}

/** As far as the node's proof, which is not given to the signer yet. */
function untilProof({ signer, node }: ReturnType<typeof channels>): { proof: Uint8Array } {
  const { send: signersProof } = signer.receive(node.hello());
  const { send: proof } = node.receive(signer.hello());
  node.receive(signersProof);
  return { proof };
}

function connected() {
  const both = channels();
  both.signer.receive(untilProof(both).proof);
  return both;
}

test('what one side says the other hears, of any length and however it was cut', () => {
  const { signer, node } = connected();
  expect(signer.peer).toEqual(theirs.publicKey);
  expect(node.peer).toEqual(ours.publicKey);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 3000 }), fc.integer({ min: 1, max: 1500 }), (said, cut) => {
      for (const [from, to] of [
        [signer, node],
        [node, signer],
      ] as const) {
        const sealed = from.seal(said);
        expect(sealed.length).toBe(Math.ceil(said.length / 1024) * sealedFrameBytes);
        const heard: Uint8Array[] = [];
        for (let offset = 0; offset < sealed.length; offset += cut) {
          heard.push(to.receive(sealed.subarray(offset, offset + cut)).plain);
        }
        expect(Buffer.concat(heard).equals(said)).toBe(true);
      }
    }),
    { numRuns: 30 },
  );
});

test('a handshake in single bytes', () => {
  const { signer, node } = channels();
  const bytes = (from: Uint8Array, to: SecretChannel) =>
    [...from].map((byte) => to.receive(Uint8Array.of(byte)).send).find(({ length }) => length > 0);
  const proof = bytes(signer.hello(), node);
  const signersProof = bytes(node.hello(), signer);
  bytes(signersProof ?? new Uint8Array(0), node);
  bytes(proof ?? new Uint8Array(0), signer);
  expect(signer.peer).toEqual(theirs.publicKey);
  expect(node.peer).toEqual(ours.publicKey);
});

test('a frame that was changed, left out, repeated or sent back ends the channel', () => {
  const text = Buffer.from('sign this');
  const changed = connected();
  const sealed = Buffer.from(changed.node.seal(text));
  sealed[500] = (sealed[500] ?? 0) ^ 1;
  expect(() => changed.signer.receive(sealed)).toThrow(SecretChannelError);

  const leftOut = connected();
  leftOut.node.seal(text);
  expect(() => leftOut.signer.receive(leftOut.node.seal(text))).toThrow(SecretChannelError);

  const repeated = connected();
  const once = repeated.node.seal(text);
  expect(Buffer.from(repeated.signer.receive(once).plain)).toEqual(text);
  expect(() => repeated.signer.receive(once)).toThrow(SecretChannelError);

  const back = connected();
  expect(() => back.signer.receive(back.signer.seal(text))).toThrow(SecretChannelError);
});

test('nothing is told to a peer that has not proven itself', () => {
  const both = channels();
  untilProof(both);
  expect(() => both.signer.seal(Buffer.from('a signature'))).toThrow('the peer is not known yet');
});

test('a peer without the key that it names is refused, and so is one with our own key', () => {
  const posing = { publicKey: theirs.publicKey, sign: someKey().sign };
  const both = channels(anybody, posing);
  const sent = both.signer.receive(both.node.hello()).send;
  const { send: proof } = both.node.receive(both.signer.hello());
  expect(() => both.signer.receive(proof)).toThrow('does not hold the key');
  // The honest side of the same handshake goes through.
  both.node.receive(sent);
  expect(both.node.peer).toEqual(ours.publicKey);

  const mirror = channels(anybody, ours);
  expect(() => mirror.signer.receive(untilProof(mirror).proof)).toThrow('our own connection key');
});

test('a pinned key lets its owner in, and nobody else', () => {
  const key = Buffer.from(theirs.publicKey);
  for (const pinned of [
    key.toString('base64'),
    key.toString('hex'),
    nodeId(key),
    nodeId(key).toUpperCase(),
  ]) {
    const both = channels((peer) => checkPinned(pinned, peer));
    both.signer.receive(untilProof(both).proof);
    expect(both.signer.peer).toEqual(theirs.publicKey);
    const other = channels((peer) => checkPinned(pinned, peer), someKey());
    const { proof } = untilProof(other);
    expect(() => other.signer.receive(proof)).toThrow(
      /another node than the one in \[signer\] node_key .*"unpinned"/,
    );
    expect(other.signer.peer).toBeUndefined();
  }
});

test.each([
  ['0', '00'.repeat(32)],
  ['1', `01${'00'.repeat(31)}`],
  ['of order 8', 'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800'],
  ['of order 8', '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157'],
  ['p − 1', `ec${'ff'.repeat(30)}7f`],
  ['p', `ed${'ff'.repeat(30)}7f`],
  ['p + 1', `ee${'ff'.repeat(30)}7f`],
])('a point of low order (%s) is refused: with it the secret is known to all', (_name, point) => {
  const { signer } = channels();
  const hello = Buffer.concat([Buffer.from([34, 0x0a, 32]), Buffer.from(point, 'hex')]);
  expect(() => signer.receive(hello)).toThrow('low order');
});

test('what is no SecretConnection is refused at its first byte', () => {
  expect(() => channels().signer.receive(Buffer.from('H'))).toThrow('does not speak SecretConnection');
  const { signer } = channels();
  expect(() => signer.receive(signer.hello())).toThrow('our own ephemeral key');
});

test('a nonce never comes twice: the channel ends before', () => {
  const counter = new FrameCounter(Number.MAX_SAFE_INTEGER - 2);
  expect(Buffer.from(counter.nonce()).toString('hex')).toBe('00000000fdffffffffff1f00');
  expect(Buffer.from(counter.nonce()).toString('hex')).toBe('00000000feffffffffff1f00');
  expect(() => counter.nonce()).toThrow(SecretChannelError);
});

test('our key on connections is made once, is its owner’s alone, and refused where others may read it', () => {
  const path = join(folder, 'deep/connection_key.pem');
  const made = connectionKey(path);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(connectionKey(path).publicKey).toEqual(made.publicKey);
  chmodSync(path, 0o640);
  expect(() => connectionKey(path)).toThrow('chmod 600');
  writeFileSync(join(folder, 'other.pem'), 'nonsense', { mode: 0o600 });
  expect(() => connectionKey(join(folder, 'other.pem'))).toThrow('holds no Ed25519 private key');
});
