import { expect, test } from '@jest/globals';
import { followSigner, noAbsence, selfSigning, stuckSinceSigner } from './node-faults.ts';
import { statusResult } from './rpc.ts';

const ours = 'A'.repeat(40);
const other = 'B'.repeat(40);

function status(address: string, power: string) {
  return statusResult.parse({
    node_info: { id: 'i', network: 'n' },
    sync_info: { latest_block_height: '5', latest_block_time: '2026-01-01T00:00:00.5Z', catching_up: false },
    validator_info: { address, voting_power: power },
  });
}

test('a node that votes past the signer is seen', () => {
  expect(selfSigning('sentry', false, undefined, status(other, '0'))).toBeUndefined();
  expect(selfSigning('sentry', false, undefined, status(other, '10'))?.text).toMatch(/holds the key/);
  expect(selfSigning('validator', true, ours, status(ours, '10'))).toBeUndefined();
  expect(selfSigning('validator', true, ours, status(other, '10'))?.address).toBe(other);
  expect(selfSigning('validator', true, ours, status(other, '0'))).toBeUndefined();
  expect(selfSigning('validator', true, undefined, status(other, '10'))).toBeUndefined();
  expect(selfSigning('validator', false, undefined, status(other, '10'))).toBeUndefined();
  expect(selfSigning('validator', true, ours, undefined)).toBeUndefined();
});

test('a node that stands still since its signer was away is seen, once its time is over', () => {
  let absence = followSigner(noAbsence, { up: false, downForMs: 6_000 }, 0);
  absence = followSigner(absence, { up: true, downForMs: 0 }, 1_000);
  absence = followSigner(absence, { up: true, downForMs: 0 }, 2_000);
  expect(absence.backAtMs).toBe(1_000);
  const node = { answered: true, committedAtMs: 500, blockSeconds: 1 };
  expect(stuckSinceSigner(absence, node, 10_900)).toBeUndefined();
  expect(stuckSinceSigner(absence, node, 11_000)).toMatch(/stands still/);
  expect(stuckSinceSigner(absence, { ...node, committedAtMs: 1_500 }, 20_000)).toBeUndefined();
  expect(stuckSinceSigner(absence, { ...node, blockSeconds: 6 }, 30_000)).toBeUndefined();
  expect(stuckSinceSigner(absence, { ...node, answered: false }, 30_000)).toBeUndefined();
});

test('a signer that was away for a moment leaves no suspicion', () => {
  const absence = followSigner(noAbsence, { up: false, downForMs: 1_000 }, 0);
  expect(followSigner(absence, { up: true, downForMs: 0 }, 1_000)).toEqual(noAbsence);
});
