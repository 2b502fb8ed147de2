import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { FilterIndex, isValidFilter, parseBasicIngest, sizeFault, topicMatches } from './topic-filter.ts';

test.each([
  ['a/b', 'a/b', true],
  ['a/+', 'a/b', true],
  ['a/+', 'a/b/c', false],
  ['a/+', 'a/', true],
  ['+/+', '/x', true],
  ['a/#', 'a/b/c', true],
  ['a/#', 'a/', true],
  // Unlike plain MQTT.
  ['a/#', 'a', false],
  ['#', 'a/b', true],
  ['#', '$aws/things/t', false],
  ['+/things/t', '$aws/things/t', false],
  ['$aws/#', '$aws/things/t', true],
  ['$aws/+/t', '$aws/things/t', true],
])('%s and %s: %p', (filter, topic, expected) => {
  expect(topicMatches(filter, topic)).toBe(expected);
  const index = new FilterIndex<number>();
  index.add(filter, 1);
  expect(index.match(topic).includes(1)).toBe(expected);
});

const level = fc.constantFrom('a', 'b', '', '$aws');
const topicText = fc.array(level, { minLength: 1, maxLength: 4 }).map((levels) => levels.join('/'));
const filterText = fc
  .tuple(fc.array(fc.oneof(level, fc.constant('+')), { minLength: 1, maxLength: 4 }), fc.boolean())
  .map(([levels, rest]) => (rest ? [...levels, '#'] : levels).join('/'));

test('the index finds what each filter alone would match, whatever was added and removed before', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(filterText, fc.boolean()), { maxLength: 12 }),
      fc.array(topicText, { minLength: 1, maxLength: 4 }),
      (changes, topics) => {
        const index = new FilterIndex<string>();
        const there = new Set<string>();
        for (const [filter, adds] of changes) {
          if (adds) {
            index.add(filter, filter);
            there.add(filter);
          } else {
            index.remove(filter, filter);
            there.delete(filter);
          }
        }
        for (const topic of topics) {
          const expected = [...there].filter((filter) => topicMatches(filter, topic)).sort();
          expect(index.match(topic).sort()).toEqual(expected);
        }
      },
    ),
    { numRuns: 500 },
  );
});

test('wildcards stand alone in their level, # at the end', () => {
  for (const good of ['a', '#', '+', 'a/#', '+/a/+', '/', 'a//b']) expect(isValidFilter(good)).toBe(true);
  for (const bad of ['a#', '#/a', 'a+', 'a/+b', 'a/#/b', '##']) expect(isValidFilter(bad)).toBe(false);
});

test('seven slashes and 256 bytes, what is reserved in front aside', () => {
  expect(sizeFault('a/b/c/d/e/f/g/h')).toBeUndefined();
  expect(sizeFault('a/b/c/d/e/f/g/h/i')).toMatch(/slashes/);
  expect(sizeFault('x'.repeat(256))).toBeUndefined();
  expect(sizeFault('ü'.repeat(129))).toMatch(/bytes/);
  expect(sizeFault('')).toMatch(/empty/);
  expect(
    sizeFault(`$aws/things/${'t'.repeat(128)}/shadow/name/${'s'.repeat(64)}/update/accepted`),
  ).toBeUndefined();
  expect(sizeFault('$aws/rules/r/a/b/c/d/e/f/g/h')).toBeUndefined();
  expect(sizeFault('$aws/rules/r/a/b/c/d/e/f/g/h/i')).toMatch(/slashes/);
});

test("Basic Ingest's prefix names the rule", () => {
  expect(parseBasicIngest('$aws/rules/beam_health/beam/demo/x')).toEqual({
    rule: 'beam_health',
    topic: 'beam/demo/x',
  });
  expect(parseBasicIngest('$aws/rules/r')).toEqual({ rule: 'r', topic: '' });
  expect(sizeFault('$aws/rules/r')).toBeUndefined();
  for (const topic of ['$aws/rules/', '$aws/rules/r/', '$aws/rules//x', 'beam/demo']) {
    expect(parseBasicIngest(topic)).toBeUndefined();
  }
});
