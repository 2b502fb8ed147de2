import { expect, test } from '@jest/globals';
import { applyUpdate, enrol, grant, sign } from '../../protocol/sign-record.ts';
import { toUpdateItem } from '../../protocol/sign-record-dynamodb.ts';
import { Tables } from './dynamodb.ts';
import { meets, updated } from './expressions.ts';

const of = {
  names: { '#a': 'a', '#b': 'b' },
  values: { ':1': { N: '1' }, ':2': { N: '2' }, ':x': { S: 'x' } },
};
const item = { a: { N: '1' }, c: { S: 'x' } };

test.each<[string, boolean]>([
  ['#a = :1', true],
  ['#a < :2 AND attribute_not_exists(#b)', true],
  ['#a > :1 OR (#a >= :1 AND #b = :1)', false],
  ['#b <> :1', true],
  ['#b < :2', false],
  ['#a <= :x', false],
  ['attribute_exists(#a) AND (#a = :2 OR #a = :1)', true],
])('%s', (condition, holds) => {
  expect(meets(condition, item, of)).toBe(holds);
});

test('what it does not know is an error, not a guess', () => {
  expect(() => meets('contains(#a, :1)', item, of)).toThrow();
  expect(() => meets('#a BETWEEN :1 AND :2', item, of)).toThrow();
  expect(() => meets('#a = :3', item, of)).toThrow(/:3/);
  expect(() => updated('ADD #a :1', item, of)).toThrow(/ADD/);
});

test('updates set, keep what is there, and remove', () => {
  const after = updated('SET #b = if_not_exists(#a, :2), #a = :2 REMOVE #c', item, {
    ...of,
    names: { ...of.names, '#c': 'c' },
  });
  expect(after).toEqual({ a: { N: '2' }, b: { N: '1' } });
});

test('the record’s conditions mean on the wire what they mean in memory', () => {
  const tables = new Tables();
  const holding = { recordId: 'record-1', epoch: 0, holder: '', incarnation: '' };
  const entry = (height: number) => ({
    height,
    round: 0,
    step: 2 as const,
    signBytes: 'b',
    timestamp: '',
    attempt: '',
  });
  const updates = [
    enrol('k', 'record-1', { height: 5, round: 0, step: 3 }),
    enrol('k', 'record-2', { height: 1, round: 0, step: 3 }),
    grant('k', { recordId: 'record-1', grantEpoch: 0 }, 'demo_a'),
    grant('k', { recordId: 'record-1', grantEpoch: 0 }, 'demo_b'),
    sign('k', holding, entry(5)),
    sign('k', holding, entry(6)),
  ];
  let plain: Record<string, unknown> | undefined;
  for (const update of updates) {
    const after = applyUpdate(plain, update);
    const onWire = tables.update(toUpdateItem('t', update));
    expect(onWire !== undefined).toBe(after !== undefined);
    plain = after ?? plain;
  }
  expect(plain).toMatchObject({ recordId: 'record-1', height: 6, grantTo: 'demo_a' });
});
