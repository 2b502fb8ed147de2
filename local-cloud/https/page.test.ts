import { expect, test } from '@jest/globals';
import { byTime, page } from './page.ts';

const names = (text: string) => [...text];
const same = (name: string) => name;
const pageOf = (text: string, token?: string, size = 2, isDescending = false) =>
  page('ListThings', names(text), same, { token, size, isDescending });

test('a page goes on behind the last item of the one before, whatever was deleted or made meanwhile', () => {
  const first = pageOf('dabce');
  expect(first.items).toEqual(['a', 'b']);
  for (const [left, expected] of [
    ['cde', ['c', 'd']],
    ['abcde', ['c', 'd']],
    ['abBcde', ['c', 'd']],
    ['a', []],
  ] as const) {
    expect(pageOf(left, first.next).items).toEqual(expected);
  }
  const last = pageOf('cde', pageOf('abcde', first.next).next);
  expect(last).toEqual({ items: ['e'], next: undefined });
  expect(pageOf('ab').next).toBeUndefined();
});

test('the newest come first where they are asked for so', () => {
  const first = pageOf('abc', undefined, 2, true);
  expect(first.items).toEqual(['c', 'b']);
  expect(pageOf('ac', first.next, 2, true).items).toEqual(['a']);
  expect(byTime(999_999_999.5, 'a') < byTime(1_700_000_000.25, 'a')).toBe(true);
  expect(byTime(1_700_000_000.25, 'a') < byTime(1_700_000_000.25, 'b')).toBe(true);
});

test.each([
  ['a size of none', { size: 0 }],
  ['a size above the most', { size: 251 }],
  ['a size that is no number', { size: Number('x') }],
  ['a token of nobody', { token: 'garbage' }],
  ['a token of no base64', { token: '!!!' }],
  ['a token with more behind it', { token: `${pageOf('abc').next}!` }],
  [
    "another list's token",
    { token: page('ListThingTypes', names('abc'), same, { token: undefined, size: 1 }).next },
  ],
  ['a token of JSON', { token: Buffer.from('{"a":1}').toString('base64url') }],
])('refused: %s', (_, asked) => {
  expect(() =>
    page('ListThings', names('abc'), same, { token: undefined, size: undefined, ...asked }),
  ).toThrow(expect.objectContaining({ status: 400, type: 'InvalidRequestException' }));
});
