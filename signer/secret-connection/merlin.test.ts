import { expect, test } from '@jest/globals';
import { Transcript } from './merlin.ts';

const text = (value: string) => Buffer.from(value, 'ascii');
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

test('Merlin’s published vectors', () => {
  // merlin 1.0 (Rust) src/transcript.rs and gtank/merlin merlin_test.go, both the same.
  const simple = new Transcript('test protocol');
  simple.append('some label', text('some data'));
  expect(hex(simple.challenge('challenge', 32))).toBe(
    'd5a21972d0d5fe320c0d263fac7fffb8145aa640af6e9bca177c03c7efcf0615',
  );

  const long = new Transcript('test protocol');
  long.append('step1', text('some data'));
  let challenge: Uint8Array = new Uint8Array(0);
  for (let round = 0; round < 32; round++) {
    challenge = long.challenge('challenge', 32);
    long.append('bigdata', new Uint8Array(1024).fill(99));
    long.append('challengedata', challenge);
  }
  expect(hex(challenge)).toBe('a8c933f54fae76e3f9bea93648c1308e7dfa2152dd51674ff3ca438351cf003c');
});
