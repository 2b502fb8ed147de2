/**
 * Requests as each version of CometBFT sends them. The fixtures are written by CometBFT itself: `npm run test:privval --
 * --write-fixtures` (e2e/privval/), which compares them at every run.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import * as z from 'zod';
import { proposalRequest, voteRequest } from '../core/request.ts';
import { PrivvalMessageError, parseRequest, parseResponse } from './messages.ts';

const folder = fileURLToPath(new URL('fixtures', import.meta.url));
const fixtures = z.array(
  z.object({
    name: z.string(),
    message: z.string(),
    signBytes: z.string().default(''),
    extensionSignBytes: z.string().default(''),
  }),
);
const versions = readdirSync(folder).map((file) => file.replace('.json', ''));
const load = (version: string) =>
  fixtures.parse(JSON.parse(readFileSync(`${folder}/${version}.json`, 'utf8')));
const all = versions.flatMap((version) => load(version).map((fixture) => ({ version, ...fixture })));
const hex = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString('hex');

/** What a signature would be over, for the message in hex. */
function signed(message: string): { kind: string; signBytes: string; extension: string } {
  const request = parseRequest(Buffer.from(message, 'hex'));
  if (request.kind === 'signVote') {
    const { chainId, vote, skipExtensionSigning } = request;
    const asked = voteRequest(chainId, vote, skipExtensionSigning);
    return {
      kind: request.kind,
      signBytes: hex(asked.signBytesAt(asked.timestamp)),
      extension: hex(asked.extensionSignBytes),
    };
  }
  if (request.kind !== 'signProposal') return { kind: request.kind, signBytes: '', extension: '' };
  return {
    kind: request.kind,
    signBytes: hex(proposalRequest(request.chainId, request.proposal).signBytesAt('')),
    extension: '',
  };
}

test('every version is there', () => {
  expect(versions.sort()).toEqual(['v034', 'v037', 'v038', 'v039', 'v040', 'v1']);
});

test.each(all)('$version: $name', ({ version, name, message, signBytes, extensionSignBytes }) => {
  const kinds: Record<string, string> = { pubKey: 'pubKey', ping: 'ping', signBytes: 'signBytes' };
  const made = signed(message);
  expect(made.kind).toBe(kinds[name] ?? (name.startsWith('proposal') ? 'signProposal' : 'signVote'));
  expect(made.signBytes).toBe(signBytes);
  // Before v0.38 there are none; before v1 the node does not say that they are off, and drops the signature.
  const saysOff = version === 'v1' && name === 'precommit while extensions are off';
  if (extensionSignBytes !== '' || saysOff) expect(made.extension).toBe(extensionSignBytes);
});

test('a field that is not known yet changes nothing of what is signed', () => {
  for (const { message, signBytes } of all.filter((fixture) => fixture.signBytes !== '')) {
    // Field 99, a string, behind the request's own.
    expect(signed(`${message}9a0603616263`).signBytes).toBe(signBytes);
  }
});

test.each([
  // PubKeyResponse{pub_key: PublicKey{…}} of v0.34 to v0.40, by the oneof's number; 3 to 5 are v0.40's.
  ['secp256k1', 2, 33],
  ['bls12381', 3, 48],
  ['mldsa65', 4, 100],
  ['secp256k1eth', 5, 33],
])('a public key of type %s is no ed25519 key', (_type, number, length) => {
  const key = Buffer.concat([Buffer.from([number * 8 + 2, length]), Buffer.alloc(length, 5)]);
  const response = Buffer.concat([Buffer.from([0x0a, key.length]), key]);
  const message = Buffer.concat([Buffer.from([0x12, response.length]), response]);
  expect(() => parseResponse(message)).toThrow(PrivvalMessageError);
});

test('a v1 signer tells its key by bytes and type', () => {
  const of = (type: string) => {
    const fields = Buffer.concat([
      Buffer.from([0x1a, 32]),
      Buffer.alloc(32, 5),
      Buffer.from([0x22, type.length]),
      Buffer.from(type),
    ]);
    return parseResponse(Buffer.concat([Buffer.from([0x12, fields.length]), fields]));
  };
  expect(of('ed25519')).toEqual({ kind: 'pubKey', publicKey: new Uint8Array(32).fill(5) });
  expect(() => of('bls12381')).toThrow(PrivvalMessageError);
});
