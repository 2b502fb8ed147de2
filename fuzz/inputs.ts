/** Bad input, as texts and bytes: what JSON parsers, names and numbers trip over, and valid documents that were damaged. */

import fc from 'fast-check';

const names = [
  '__proto__',
  'constructor',
  'prototype',
  'hasOwnProperty',
  'toString',
  'state',
  'desired',
  'reported',
  'version',
  'clientToken',
  '',
  '..',
  '../../etc/passwd',
  'a/b',
  'a b',
  'a~b',
  '\0',
  '%2e%2e%2f',
  '\u2028',
  '\ud800',
  'ʼ',
];
const numbers = [
  '0',
  '-0',
  '1e400',
  '-1e400',
  '1e-400',
  '9007199254740993',
  '1.5',
  '00',
  '0x10',
  'NaN',
  '1E+2',
  `${'9'.repeat(400)}`,
];

export const name = fc.oneof(fc.constantFrom(...names), fc.string({ unit: 'binary', maxLength: 20 }));

const nasty = [
  ...numbers,
  ...[
    'null',
    'true',
    'false',
    '{}',
    '[]',
    '[null]',
    '""',
    '"\\ud800"',
    '"\\u0000"',
    '{"__proto__":{"polluted":1}}',
  ],
];
/** Large inputs are rare: they take the time of hundreds of others. */
const leaf = fc.oneof(
  { weight: 100, arbitrary: fc.constantFrom(...nasty) },
  { weight: 100, arbitrary: name.map((text) => JSON.stringify(text)) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(1000, 9000, 200_000).map((length) => JSON.stringify('x'.repeat(length))),
  },
);

function deep(levels: number, kind: number): string {
  const open = kind === 0 ? '[' : '{"a":';
  const close = kind === 0 ? ']' : '}';
  return `${open.repeat(levels)}1${close.repeat(levels)}`;
}

/** Members may come twice. */
const object = (value: fc.Arbitrary<string>) =>
  fc
    .array(fc.tuple(name, value), { maxLength: 4 })
    .map((members) => `{${members.map(([key, text]) => `${JSON.stringify(key)}:${text}`).join(',')}}`);
const array = (value: fc.Arbitrary<string>) =>
  fc.array(value, { maxLength: 4 }).map((elements) => `[${elements.join(',')}]`);
const wide = fc
  .nat(3000)
  .map((count) => `{${Array.from({ length: count }, (_, n) => `"k${n}":${n}`).join(',')}}`);

const shallow = fc.oneof({ weight: 4, arbitrary: leaf }, object(leaf), array(leaf));
/** JSON texts, most of them valid. */
export const json: fc.Arbitrary<string> = fc.oneof(
  { weight: 120, arbitrary: fc.oneof(object(shallow), array(shallow), shallow) },
  { weight: 60, arbitrary: object(fc.oneof(object(shallow), leaf)) },
  {
    weight: 4,
    arbitrary: fc.tuple(fc.constantFrom(5, 7, 64), fc.nat(1)).map(([levels, kind]) => deep(levels, kind)),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom(2_000, 20_000), fc.nat(1))
      .map(([levels, kind]) => deep(levels, kind)),
  },
  { weight: 1, arbitrary: wide },
);

/** A part of it cut out, doubled, overwritten, or its end left out. */
export function damaged(valid: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc
    .tuple(valid, fc.nat(), fc.nat(40), fc.nat(3), fc.string({ unit: 'binary', maxLength: 8 }))
    .map(([text, where, length, how, other]) => {
      const at = text.length === 0 ? 0 : where % text.length;
      const [before, part, after] = [text.slice(0, at), text.slice(at, at + length), text.slice(at + length)];
      return [before + after, before + part + part + after, before + other + after, before][how] ?? text;
    });
}

/** Bytes: a text as UTF-8, some with bytes that are none. */
export function bytes(text: fc.Arbitrary<string>): fc.Arbitrary<Buffer> {
  return fc
    .tuple(text, fc.nat(), fc.nat(15), fc.constantFrom(0xff, 0xc0, 0x80, 0xed, 0x00))
    .map(([whole, where, chance, byte]) => {
      const buffer = Buffer.from(whole);
      if (chance === 0 && buffer.length > 0) buffer[where % buffer.length] = byte;
      return buffer;
    });
}

/** Words of a language in any order, with names and numbers among them. */
export function wordsOf(words: readonly string[], maxLength: number): fc.Arbitrary<string> {
  const word = fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(...words) },
    fc.constantFrom(...numbers),
    name,
  );
  return fc.array(word, { maxLength }).map((parts) => parts.join(' '));
}
