import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { mergeSection, type Section, sectionChange } from './shadow-document.ts';

const leaf = fc.oneof(
  fc.string({ maxLength: 4 }),
  fc.integer(),
  fc.boolean(),
  fc.array(fc.integer(), { maxLength: 3 }),
);
const key = fc.constantFrom('a', 'b', 'c', '__proto__');
const section: fc.Arbitrary<Section> = fc.letrec<{ section: Section }>((tie) => ({
  section: fc.dictionary(key, fc.oneof({ depthSize: 'small' }, leaf, tie('section')), {
    maxKeys: 3,
    noNullPrototype: true,
  }),
})).section;

test('a change makes the wanted section of the former one, and nothing is left to change', () => {
  fc.assert(
    fc.property(section, section, (base, wanted) => {
      const change = sectionChange(base, wanted);
      if (change === undefined) return expect(wanted).toEqual(base);
      // Null deletes keys, not tables: what AWS keeps of a table that lost all its keys is an empty one.
      const merged = mergeSection(base, change);
      expect(sectionChange(merged, wanted)).toBeUndefined();
    }),
  );
});

test('objects merge, null deletes, arrays replace', () => {
  expect(mergeSection({ a: { b: 1, c: 2 }, l: [1, 2] }, { a: { b: null }, l: [3] })).toEqual({
    a: { c: 2 },
    l: [3],
  });
});
