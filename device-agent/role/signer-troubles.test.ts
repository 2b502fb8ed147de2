import { expect, test } from '@jest/globals';
import { signerOf } from './fake-signer.ts';
import { signerTroubles } from './signer-troubles.ts';

function kinds(over: object, network: string | undefined = 'fake-1'): string[] {
  const troubles = signerTroubles({ up: true, downForMs: 0, status: { ...signerOf(), ...over } }, network);
  return troubles.map(({ kind, severity }) => `${kind} ${severity}`);
}

test.each<[string, object, string[]]>([
  ['a standby', {}, []],
  ['an active one', { state: 'active' }, []],
  ['a fenced one waits for Commander', { state: 'fenced', reason: 'epoch 4' }, []],
  ['a foreign signer', { state: 'refusing', code: 'foreign-signer' }, ['foreign-signer critical']],
  ['a record that went back', { state: 'refusing', code: 'record-went-back' }, ['record-trouble critical']],
  ['a broken state file', { state: 'refusing', code: 'state-unreadable' }, ['signer-refuses critical']],
  ['not enrolled', { state: 'unenrolled' }, ['signer-refuses warning']],
  ['a record out of reach', { record: { ...signerOf().record, ageMs: 9_000 } }, ['record-trouble critical']],
])('%s', (_, over, expected) => {
  expect(kinds(over)).toEqual(expected);
});

test('another chain beside the signer', () => {
  expect(kinds({}, 'other-1')).toEqual(['signer-refuses critical']);
});

test('a signer away: for a moment no trouble, then one; a server without one has none', () => {
  const away = (downForMs: number) => signerTroubles({ up: false, downForMs, status: undefined }, undefined);
  expect(away(1_000)).toEqual([]);
  expect(away(6_000)).toMatchObject([{ kind: 'signer-down', severity: 'critical' }]);
  expect(signerTroubles(undefined, 'x')).toEqual([]);
});
