/** Vectors of CometBFT: types/vote_test.go `TestVoteSignBytesTestVectors`, privval/msgs_test.go `TestPrivvalVectors`. */

import { createHash } from 'node:crypto';
import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { encodeFrame } from './frame.ts';
import { MessageSchema } from './gen/privval_pb.ts';
import {
  BlockIDSchema,
  CanonicalBlockIDSchema,
  CanonicalPartSetHeaderSchema,
  CanonicalProposalSchema,
  CanonicalVoteExtensionSchema,
  CanonicalVoteSchema,
  ProposalSchema,
  TimestampSchema,
  VoteSchema,
} from './gen/types_pb.ts';
import { isNilBlockId, proposalSignBytes, voteExtensionSignBytes, voteSignBytes } from './sign-bytes.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const sha256 = (text: string): Uint8Array => createHash('sha256').update(text).digest();
const vote = (init: MessageInitShape<typeof VoteSchema>) => create(VoteSchema, init);
const proposal = (init: MessageInitShape<typeof ProposalSchema>) => create(ProposalSchema, init);

const zeroTime = '2a0b088092b8c398feffffff01';
const one = '0100000000000000';
const chainId = '320d746573745f636861696e5f6964';

test.each([
  ['an empty vote', '', {}, `0d${zeroTime}`],
  ['a precommit', '', { height: 1n, round: 1, type: 2 }, `21080211${one}19${one}${zeroTime}`],
  ['a prevote', '', { height: 1n, round: 1, type: 1 }, `21080111${one}19${one}${zeroTime}`],
  ['a vote without type', '', { height: 1n, round: 1 }, `1f11${one}19${one}${zeroTime}`],
  ['a chain id', 'test_chain_id', { height: 1n, round: 1 }, `2e11${one}19${one}${zeroTime}${chainId}`],
  [
    'an extension, which is not part of it',
    'test_chain_id',
    { height: 1n, round: 1, extension: Buffer.from('extension') },
    `2e11${one}19${one}${zeroTime}${chainId}`,
  ],
])('sign bytes of a vote: %s', (_what, chain, init, expected) => {
  expect(hex(voteSignBytes(chain, vote(init)))).toBe(expected);
});

test('round zero is left out, the height is fixed in eight bytes', () => {
  expect(hex(voteSignBytes('', vote({ height: 258n, round: 0, type: 1 })))).toBe(
    `1808011102010000000000${'00'}${zeroTime}`,
  );
});

const blockId = {
  hash: sha256('blockID_hash'),
  partSetHeader: { total: 1_000_000, hash: sha256('blockID_part_set_header_hash') },
};
const blockIdHex =
  '0a208b01023386c371778ecb6368573e539afc3cc860ec3a2f614e54fe5652f4fc80122608c0843d122072db3d959635dff1bb567bedaa70573392c5159666a3f8caf11e413aac52207a';
const stamp = { seconds: 1_570_983_284n, nanos: 0 };
const stampHex = '08f49a8ded05';

test('sign bytes hold the block id whole, and leave a nil one out', () => {
  const signed = hex(voteSignBytes('', vote({ type: 2, height: 3n, round: 2, blockId, timestamp: stamp })));
  expect(signed).toBe(`680802110300000000000000190200000000000000224a${blockIdHex}2a06${stampHex}`);
  const nil = { hash: new Uint8Array(0), partSetHeader: { total: 0, hash: new Uint8Array(0) } };
  expect(isNilBlockId(vote({ blockId: nil }).blockId)).toBe(true);
  const nilVote = hex(
    voteSignBytes('', vote({ type: 2, height: 3n, round: 2, blockId: nil, timestamp: stamp })),
  );
  expect(nilVote).toBe(`1c08021103000000000000001902000000000000002a06${stampHex}`);
  expect(isNilBlockId(vote({ blockId }).blockId)).toBe(false);
});

test('the Unix epoch is an empty timestamp, which is written all the same', () => {
  const signed = hex(voteSignBytes('', vote({ type: 1, timestamp: { seconds: 0n, nanos: 0 } })));
  expect(signed).toBe('0408012a00');
});

test('sign bytes of a proposal: type 32 always, proof-of-lock round as a varint', () => {
  const signed = hex(proposalSignBytes('', proposal({ height: 1n, round: 1, polRound: -1 })));
  expect(signed).toBe(`2c082011${one}19${one}20ffffffffffffffffff01320b088092b8c398feffffff01`);
});

test('sign bytes of a vote extension', () => {
  const signed = hex(
    voteExtensionSignBytes(
      'test_chain_id',
      vote({ height: 1n, round: 1, extension: Buffer.from('extension') }),
    ),
  );
  expect(signed).toBe(`2c0a09657874656e73696f6e11${one}19${one}220d746573745f636861696e5f6964`);
});

test('messages are as CometBFT encodes them', () => {
  const address = createHash('sha256').update('validator_address').digest().subarray(0, 20);
  const exampleVote = {
    type: 2,
    height: 3n,
    round: 2,
    blockId,
    timestamp: stamp,
    validatorAddress: address,
    validatorIndex: 56_789,
    extension: Buffer.from('extension'),
  };
  const voteHex = `0a7f080210031802224a${blockIdHex}2a06${stampHex}32146af1f4111082efb388211bc72c55bcd61e9ac3d538d5bb034a09657874656e73696f6e`;
  const proposalHex = `0a6e08011003180220022a4a${blockIdHex}3206${stampHex}3a10697427732061207369676e6174757265`;
  const exampleProposal = {
    type: 1,
    height: 3n,
    round: 2,
    polRound: 2,
    blockId,
    timestamp: stamp,
    signature: Buffer.from("it's a signature"),
  };
  const key = Buffer.from('556a436f1218d30942efe798420f51dc9b6a311b929c578257457d05c5fcf230', 'hex');
  const vectors: [NonNullable<MessageInitShape<typeof MessageSchema>['sum']>, string][] = [
    [{ case: 'pingRequest', value: {} }, '3a00'],
    [{ case: 'pingResponse', value: {} }, '4200'],
    [{ case: 'pubKeyRequest', value: {} }, '0a00'],
    [
      { case: 'pubKeyResponse', value: { pubKey: { sum: { case: 'ed25519', value: key } } } },
      `12240a220a20${hex(key)}`,
    ],
    [
      { case: 'pubKeyResponse', value: { pubKey: {}, error: { code: 1, description: "it's a error" } } },
      '12140a0012100801120c697427732061206572726f72',
    ],
    [{ case: 'signVoteRequest', value: { vote: exampleVote } }, `1a8101${voteHex}`],
    [{ case: 'signedVoteResponse', value: { vote: exampleVote } }, `228101${voteHex}`],
    [{ case: 'signProposalRequest', value: { proposal: exampleProposal } }, `2a70${proposalHex}`],
    [{ case: 'signedProposalResponse', value: { proposal: exampleProposal } }, `3270${proposalHex}`],
  ];
  for (const [sum, expected] of vectors) {
    const message = create(MessageSchema, { sum });
    expect([sum.case, hex(toBinary(MessageSchema, message))]).toEqual([sum.case, expected]);
    expect(fromBinary(MessageSchema, Buffer.from(expected, 'hex'))).toEqual(message);
  }
});

const bytes = fc.uint8Array({ maxLength: 40 });
const blockIds = fc.option(
  fc
    .record({
      hash: bytes,
      partSetHeader: fc.option(fc.record({ total: fc.nat(), hash: bytes }), { nil: undefined }),
    })
    .map(({ hash, partSetHeader }) =>
      create(BlockIDSchema, { hash, ...(partSetHeader ? { partSetHeader } : {}) }),
    ),
  { nil: undefined },
);
const timestamps = fc.option(
  fc
    .record({ seconds: fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n), nanos: fc.integer() })
    .map((init) => create(TimestampSchema, init)),
  { nil: undefined },
);
const messages = fc.record({
  type: fc.oneof(fc.constantFrom(0, 1, 2, 32), fc.integer()),
  height: fc.oneof(fc.bigInt(0n, 3n), fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n)),
  round: fc.oneof(fc.nat(2), fc.integer()),
  polRound: fc.oneof(fc.constant(-1), fc.integer()),
  blockId: blockIds,
  timestamp: timestamps,
  extension: bytes,
  chainId: fc.oneof(fc.constant(''), fc.string({ unit: 'grapheme', maxLength: 60 })),
});

test('what is written field by field is what the schema’s own encoder writes', () => {
  const delimited = <Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>) =>
    hex(encodeFrame(toBinary(schema, message)));
  fc.assert(
    fc.property(
      messages,
      ({ type, height, round, polRound, blockId, timestamp: given, extension, chainId: chain }) => {
        const timestamp = given ?? create(TimestampSchema, { seconds: -62_135_596_800n });
        // A nil block is left out; one that is not has its part set header always.
        const canonical = isNilBlockId(blockId)
          ? {}
          : {
              blockId: create(CanonicalBlockIDSchema, {
                hash: blockId?.hash ?? new Uint8Array(),
                partSetHeader: create(CanonicalPartSetHeaderSchema, {
                  total: blockId?.partSetHeader?.total ?? 0,
                  hash: blockId?.partSetHeader?.hash ?? new Uint8Array(),
                }),
              }),
            };
        const at = { height, round: BigInt(round), chainId: chain };
        expect(hex(voteSignBytes(chain, { type, height, round, blockId, timestamp: given }))).toBe(
          delimited(
            CanonicalVoteSchema,
            create(CanonicalVoteSchema, { ...at, type, timestamp, ...canonical }),
          ),
        );
        expect(hex(proposalSignBytes(chain, { height, round, polRound, blockId, timestamp: given }))).toBe(
          delimited(
            CanonicalProposalSchema,
            create(CanonicalProposalSchema, {
              ...at,
              type: 32,
              polRound: BigInt(polRound),
              timestamp,
              ...canonical,
            }),
          ),
        );
        expect(hex(voteExtensionSignBytes(chain, { height, round, extension }))).toBe(
          delimited(CanonicalVoteExtensionSchema, create(CanonicalVoteExtensionSchema, { ...at, extension })),
        );
      },
    ),
    { numRuns: 1000 },
  );
});
