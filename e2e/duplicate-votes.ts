/** Two precommits of one key at one position, as DuplicateVoteEvidence in CometBFT's JSON. */

import { create } from '@bufbuild/protobuf';
import { blockIdMessage, nilBlockId, timestampOfMs, timeText } from '../local-chain/chain-json.ts';
import { addressOf, keyPairFromSeed, signWith } from '../local-chain/keys.ts';
import { VoteSchema } from '../signer/privval/gen/types_pb.ts';
import { voteSignBytes } from '../signer/privval/sign-bytes.ts';

export function duplicateVotes({
  seed,
  chainId,
  height,
}: {
  seed: Uint8Array;
  chainId: string;
  height: number;
}) {
  const key = keyPairFromSeed(seed);
  const timestamp = timestampOfMs(Date.now());
  const hash = 'AB'.repeat(32);
  const vote = (block_id: typeof nilBlockId) => {
    const bytes = voteSignBytes(
      chainId,
      create(VoteSchema, {
        type: 2,
        height: BigInt(height),
        round: 0,
        blockId: blockIdMessage(block_id),
        timestamp,
      }),
    );
    return {
      type: 2,
      height: String(height),
      round: 0,
      block_id,
      timestamp: timeText(timestamp),
      validator_address: addressOf(key.publicKey),
      validator_index: 0,
      signature: signWith(key, bytes).toString('base64'),
      extension: null,
      extension_signature: null,
    };
  };
  return {
    type: 'tendermint/DuplicateVoteEvidence',
    value: {
      vote_a: vote(nilBlockId),
      vote_b: vote({ hash, parts: { total: 1, hash } }),
      TotalVotingPower: '40',
      ValidatorPower: '10',
      Timestamp: timeText(timestamp),
    },
  };
}
