import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { MessageSchema } from './gen/privval_pb.ts';
import { type Proposal, ProposalSchema, TimestampSchema, type Vote, VoteSchema } from './gen/types_pb.ts';
import {
  answeredKinds,
  errorResponse,
  PrivvalMessageError,
  parseRequest,
  parseResponse,
  pingRequest,
  pingResponse,
  pubKeyRequest,
  pubKeyResponse,
  signedProposalResponse,
  signedVoteResponse,
  signProposalRequest,
  signVoteRequest,
} from './messages.ts';

type VoteInit = Exclude<MessageInitShape<typeof VoteSchema>, Vote>;
type ProposalInit = Exclude<MessageInitShape<typeof ProposalSchema>, Proposal>;

const timestamp = create(TimestampSchema, { seconds: 1_700_000_000n, nanos: 5 });
const whole = {
  hash: new Uint8Array(32).fill(1),
  partSetHeader: { total: 1, hash: new Uint8Array(32).fill(2) },
};
const good: VoteInit = {
  type: 1,
  height: 5n,
  round: 0,
  blockId: whole,
  timestamp,
};
const goodProposal: ProposalInit = {
  type: 32,
  height: 5n,
  round: 0,
  polRound: -1,
  blockId: whole,
  timestamp,
};

test('requests of a node are told apart', () => {
  expect(parseRequest(pubKeyRequest('c-1'))).toEqual({ kind: 'pubKey', chainId: 'c-1' });
  expect(parseRequest(pingRequest())).toEqual({ kind: 'ping' });
  const vote = create(VoteSchema, good);
  expect(parseRequest(signVoteRequest('c-1', vote))).toEqual({
    kind: 'signVote',
    chainId: 'c-1',
    vote,
    skipExtensionSigning: false,
  });
  const proposal = create(ProposalSchema, goodProposal);
  expect(parseRequest(signProposalRequest('c-1', proposal))).toEqual({
    kind: 'signProposal',
    chainId: 'c-1',
    proposal,
  });
  const signBytes = create(MessageSchema, {
    sum: { case: 'signBytesRequest', value: { value: whole.hash } },
  });
  expect(parseRequest(toBinary(MessageSchema, signBytes))).toEqual({ kind: 'signBytes' });
});

test.each<[string, VoteInit, string]>([
  ['type', { type: 32 }, 'type 32'],
  ['type', { type: 0 }, 'type 0'],
  ['height', { height: 0n }, 'height 0'],
  ['height', { height: -3n }, 'height -3'],
  ['height', { height: 2n ** 60n }, 'above what can be guarded'],
  ['round', { round: -1 }, 'round -1'],
  ['block id', { blockId: { hash: new Uint8Array(31) } }, 'neither nil nor whole'],
  ['block id', { blockId: { hash: whole.hash } }, 'neither nil nor whole'],
  ['block id', { blockId: { partSetHeader: whole.partSetHeader } }, 'neither nil nor whole'],
  ['timestamp', { timestamp: { seconds: 0n, nanos: -1 } }, '-1 ns'],
  ['timestamp', { timestamp: { seconds: 2n ** 62n } }, 'timestamp at'],
])('a vote with a wrong %s is an invalid request', (_what, wrong, fault) => {
  const request = parseRequest(signVoteRequest('c-1', create(VoteSchema, { ...good, ...wrong })));
  expect(request).toEqual({ kind: 'invalid', request: 'signVote', fault: expect.stringContaining(fault) });
});

test.each<[string, ProposalInit, string]>([
  ['type', { type: 1 }, 'type 1'],
  ['proof-of-lock round', { polRound: -2 }, 'proof-of-lock round -2'],
  ['proof-of-lock round', { round: 1, polRound: 1 }, 'proof-of-lock round 1'],
  ['block id', { blockId: { hash: new Uint8Array(0) } }, 'no block id'],
])('a proposal with a wrong %s is an invalid request', (_what, wrong, fault) => {
  const request = parseRequest(
    signProposalRequest('c-1', create(ProposalSchema, { ...goodProposal, ...wrong })),
  );
  expect(request).toEqual({
    kind: 'invalid',
    request: 'signProposal',
    fault: expect.stringContaining(fault),
  });
});

test('nil votes are votes; a missing timestamp or vote is not', () => {
  const { blockId: _, ...nil } = good;
  expect(parseRequest(signVoteRequest('c', create(VoteSchema, nil))).kind).toBe('signVote');
  const { timestamp: __, ...timeless } = good;
  expect(parseRequest(signVoteRequest('c', create(VoteSchema, timeless))).kind).toBe('invalid');
  expect(parseRequest(Uint8Array.from([0x1a, 0x00]))).toMatchObject({ kind: 'invalid', request: 'signVote' });
});

test('what is no request ends the connection', () => {
  for (const bytes of [
    Uint8Array.from([0xff]),
    new Uint8Array(0),
    pingResponse(),
    Uint8Array.from([0x7a, 0]),
  ]) {
    expect(() => parseRequest(bytes)).toThrow(PrivvalMessageError);
  }
});

test('answers come back as they were given', () => {
  const publicKey = new Uint8Array(32).fill(9);
  const signature = new Uint8Array(64).fill(3);
  expect(parseResponse(pubKeyResponse(publicKey))).toEqual({ kind: 'pubKey', publicKey });
  expect(parseResponse(pingResponse())).toEqual({ kind: 'ping' });
  expect(parseResponse(signedVoteResponse({ timestamp, signature }))).toEqual({
    kind: 'signVote',
    timestamp,
    signature,
    extensionSignature: new Uint8Array(0),
  });
  expect(parseResponse(signedProposalResponse({ timestamp, signature }))).toEqual({
    kind: 'signProposal',
    signature,
  });
  for (const to of answeredKinds) {
    expect(parseResponse(errorResponse(to, 'stands by', 3))).toEqual({
      kind: 'error',
      to,
      code: 3,
      description: 'stands by',
    });
  }
});

test('a node takes no answer without a signature', () => {
  const none = new Uint8Array(0);
  expect(() => parseResponse(signedVoteResponse({ timestamp, signature: none }))).toThrow(
    PrivvalMessageError,
  );
  expect(() => parseResponse(signedProposalResponse({ timestamp, signature: none }))).toThrow(
    PrivvalMessageError,
  );
  expect(() => parseResponse(pubKeyResponse(new Uint8Array(31)))).toThrow(PrivvalMessageError);
  expect(() => parseResponse(pingRequest())).toThrow(PrivvalMessageError);
});

test('an answer is, byte for byte, what the schema makes of it', () => {
  const timestamps = fc
    .record({ seconds: fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n), nanos: fc.integer() })
    .map((init) => create(TimestampSchema, init));
  const signatures = fc.uint8Array({ maxLength: 64 });
  const bySchema = (sum: NonNullable<MessageInitShape<typeof MessageSchema>['sum']>) =>
    toBinary(MessageSchema, create(MessageSchema, { sum }));
  fc.assert(
    fc.property(timestamps, signatures, signatures, (timestamp, signature, extensionSignature) => {
      const vote = { timestamp, signature, extensionSignature };
      expect(signedVoteResponse(vote)).toEqual(bySchema({ case: 'signedVoteResponse', value: { vote } }));
      const proposal = { timestamp, signature };
      expect(signedProposalResponse(proposal)).toEqual(
        bySchema({ case: 'signedProposalResponse', value: { proposal } }),
      );
    }),
    { seed: 6 },
  );
});
