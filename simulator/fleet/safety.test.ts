import { create } from '@bufbuild/protobuf';
import { expect, test } from '@jest/globals';
import type { SignPosition } from '../../protocol/sign-position.ts';
import type { SignRecord } from '../../protocol/sign-record.ts';
import { blockIdText } from '../../signer/core/request.ts';
import { BlockIDSchema } from '../../signer/privval/gen/types_pb.ts';
import { voteSignBytes } from '../../signer/privval/sign-bytes.ts';
import { signedType } from '../../signer/privval/signed-types.ts';
import { Safety } from './safety.ts';

const block = (byte: number) =>
  create(BlockIDSchema, {
    hash: new Uint8Array(32).fill(byte),
    partSetHeader: { total: 1, hash: new Uint8Array(32).fill(byte) },
  });
const [x, y] = [block(1), block(2)];

const at = (round: number, step: 2 | 3): SignPosition => ({ height: 4, round, step });

function vote(where: SignPosition, voteFor: typeof x): string {
  const type = where.step === 3 ? signedType.precommit : signedType.prevote;
  const of = { type, height: BigInt(where.height), round: where.round, blockId: voteFor };
  return Buffer.from(voteSignBytes('chain', { ...of, timestamp: undefined })).toString('base64');
}

/** a releases a precommit for x; its next one, for y, is recorded and never leaves. */
function afterLostPrecommit(): Safety {
  const safety = new Safety(() => 0);
  const first = at(1, 3);
  safety.released({ at: first, bytes: vote(first, x), block: blockIdText(x), by: 'a', epoch: 1 });
  const lost = at(3, 3);
  safety.recorded({ ...lost, signBytes: vote(lost, y), epoch: 1, holder: 'a' } as SignRecord);
  return safety;
}

test.each([
  ['y, the recorded one', y, []],
  ['x, the one that left', x, [6]],
])('the next holder votes for %s', (_, voteFor, violated) => {
  const safety = afterLostPrecommit();
  const next = at(4, 2);
  safety.released({ at: next, bytes: vote(next, voteFor), block: blockIdText(voteFor), by: 'b', epoch: 2 });
  expect(safety.violations.map(({ invariant }) => invariant)).toEqual(violated);
});
