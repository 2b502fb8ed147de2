import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { AnswerReader, type HttpAnswer } from './answer-reader.ts';

const bytesMax = 1000;
const head = (...fields: string[]) => ['HTTP/1.1 200 OK', ...fields, '', ''].join('\r\n');

/** Fed in pieces that end at `cuts`. @throws where a piece makes it no answer */
function read(text: string, cuts: readonly number[] = []): HttpAnswer | undefined {
  const bytes = Buffer.from(text);
  const ends = [...new Set(cuts.map((cut) => cut % bytes.length)), bytes.length].sort((a, b) => a - b);
  const reader = new AnswerReader(bytesMax);
  let from = 0;
  let answer: HttpAnswer | undefined;
  for (const end of ends.filter((each) => each > 0)) {
    expect(answer).toBeUndefined();
    answer = reader.push(bytes.subarray(from, end));
    from = end;
  }
  return answer;
}

const chunked = (parts: readonly string[], trailer = '') => {
  const chunks = parts.map((part) => `${Buffer.byteLength(part).toString(16)};a=b\r\n${part}\r\n`);
  return `${head('Transfer-Encoding: chunked')}${chunks.join('')}0\r\n${trailer}\r\n`;
};
const body = fc.array(fc.string({ minLength: 1, maxLength: 20, unit: 'grapheme' }), { maxLength: 4 });

test('an answer is the same however its bytes are cut, with a length and in chunks, and is not there before it is whole', () => {
  fc.assert(
    fc.property(body, fc.array(fc.nat()), fc.boolean(), (parts, cuts, trailed) => {
      const text = parts.join('');
      const length = head('Date: now', `content-length:  ${Buffer.byteLength(text)} `);
      expect(read(length + text, cuts)).toMatchObject({ status: 200, date: 'now', text });
      expect(read(chunked(parts, trailed ? 'x: y\r\n' : ''), cuts)).toMatchObject({ status: 200, text });
    }),
    { numRuns: 200, seed: 4 },
  );
});

test.each([
  ['more than its length', `${head('content-length: 2')}{}{`],
  ['two lengths', `${head('content-length: 2', 'content-length: 3')}{}`],
  ['a length and chunks', `${head('content-length: 2', 'transfer-encoding: chunked')}{}`],
  ['no length', head('connection: close')],
  ['a length that is no number', `${head('content-length: +2')}{}`],
  ['another encoding', head('transfer-encoding: gzip, chunked')],
  ['a field that goes on in the next line', `${head('a: b', ' content-length: 2', 'content-length: 2')}{}`],
  ['a blank before a colon', `${head('content-length : 2')}{}`],
  ['another protocol', 'SSH-2.0-OpenSSH\r\n\r\n'],
  ['an interim status', 'HTTP/1.1 100 Continue\r\n\r\n'],
  ['a chunk without a length', `${head('transfer-encoding: chunked')}x\r\n`],
  ['a chunk of another length', `${head('transfer-encoding: chunked')}2\r\n{}}\r\n0\r\n\r\n`],
  ['bytes behind the last chunk', `${head('transfer-encoding: chunked')}0\r\n\r\nHTTP/1.1 200`],
  ['a body too long, by its length', `${head('content-length: 2000')}${'a'.repeat(2000)}`],
  ['a body too long, by its chunk', `${head('transfer-encoding: chunked')}7d0\r\n`],
  ['a head without end', `${head().trimEnd()}\r\na: ${'b'.repeat(17_000)}`],
])('what is no plain answer is an error: %s', (_what, text) => {
  expect(() => read(text)).toThrow();
});

test('a connection is kept for as long as the server says', () => {
  const keptMs = (...fields: string[]) => read(head('content-length: 0', ...fields))?.keptMs;
  expect(keptMs()).toBe(Number.POSITIVE_INFINITY);
  expect(keptMs('Connection: keep-alive', 'Keep-Alive: timeout=5')).toBe(4000);
  expect(keptMs('connection: Close')).toBe(0);
  expect(read('HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n')?.keptMs).toBe(0);
});
