import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { ChainFileError, mergeOverlay, operatorsOwn, parseChainFile } from './merge-overlay.ts';
import { settingAt, type TomlTable } from './toml-tree.ts';

const file = 'config.toml';
const text = `# This is a TOML config file.
moniker = "here" # who we are

# unknown to Beam, known to the operator
our_own = [1, 2]

#######################################################
###           P2P Configuration Options             ###
#######################################################
[p2p]

# Address to listen for incoming connections
laddr = "tcp://0.0.0.0:26656"
persistent_peers = ""   # sentries
pex = true
max_num_inbound_peers = 40

[consensus]
timeout_commit = "5s"

[tx_index]
# indexer
indexer = "kv"
`;

const comments = text.split('\n').filter((line) => line.startsWith('#'));

test('only the named settings change; comments, order and unknown keys stay', () => {
  const { text: merged, changed } = mergeOverlay(
    text,
    { p2p: { pex: false, persistent_peers: 'id@sentry:1' }, consensus: { timeout_commit: '5s' } },
    [],
    file,
  );
  const before = text.split('\n');
  const after = merged.split('\n');
  const different = after.flatMap((line, at) => (line === before[at] ? [] : [line]));
  expect(different).toEqual(['persistent_peers = "id@sentry:1"   # sentries', 'pex = false']);
  expect(changed).toEqual(['p2p.pex', 'p2p.persistent_peers']);
});

test('what an overlay no longer names is given back, unless the operator has set it since', () => {
  const first = mergeOverlay(text, { p2p: { pex: false, max_num_inbound_peers: 7, new_one: 1 } }, [], file);
  const byHand = first.text.replace('max_num_inbound_peers = 7', 'max_num_inbound_peers = 11');
  const second = mergeOverlay(byHand, {}, first.owned, file);
  expect(settingAt(parseChainFile(second.text, file), ['p2p'])).toEqual({
    laddr: 'tcp://0.0.0.0:26656',
    persistent_peers: '',
    pex: true,
    max_num_inbound_peers: 11,
  });
  expect(second.owned).toEqual([]);
});

test("the operator's new value is what is given back later", () => {
  const first = mergeOverlay(text, { p2p: { max_num_inbound_peers: 7 } }, [], file);
  const byHand = first.text.replace('max_num_inbound_peers = 7', 'max_num_inbound_peers = 11');
  const second = mergeOverlay(byHand, { p2p: { max_num_inbound_peers: 7 } }, first.owned, file);
  expect(second.changed).toEqual(['p2p.max_num_inbound_peers']);
  expect(settingAt(operatorsOwn(second.text, second.owned, file), ['p2p', 'max_num_inbound_peers'])).toBe(11);
});

test('a file that is not TOML says so, with its name', () => {
  expect(() => mergeOverlay('a = = 1', {}, [], 'home/config.toml')).toThrow(ChainFileError);
  expect(() => mergeOverlay('a = = 1', {}, [], 'home/config.toml')).toThrow(/home\/config\.toml is not TOML/);
});

const value = fc.oneof(
  fc.string({ maxLength: 12 }),
  fc.integer({ min: -5, max: 5_000_000 }),
  fc.boolean(),
  fc.array(fc.string({ maxLength: 3 }), { maxLength: 3 }),
);
const table = fc.constantFrom('p2p', 'consensus', 'tx_index', 'statesync');
const key = fc.constantFrom('pex', 'laddr', 'timeout_commit', 'indexer', 'max', 'new-key');
const overlay: fc.Arbitrary<TomlTable> = fc
  .tuple(
    fc.dictionary(fc.constantFrom('moniker', 'log_level'), value, { maxKeys: 2, noNullPrototype: true }),
    fc.dictionary(table, fc.dictionary(key, value, { minKeys: 1, maxKeys: 3, noNullPrototype: true }), {
      maxKeys: 3,
      noNullPrototype: true,
    }),
  )
  .map(([top, tables]) => ({ ...top, ...tables }));

test('merging twice changes nothing more; every value is there; comments stay; without the overlay all is as it was', () => {
  fc.assert(
    fc.property(overlay, overlay, (one, two) => {
      const first = mergeOverlay(text, one, [], file);
      const again = mergeOverlay(first.text, one, first.owned, file);
      expect(again).toEqual({ text: first.text, owned: first.owned, changed: [] });

      const second = mergeOverlay(first.text, two, first.owned, file);
      const content = parseChainFile(second.text, file);
      for (const { path, written } of second.owned) expect(settingAt(content, path)).toEqual(written);
      for (const comment of comments) expect(second.text).toContain(comment);

      const original = parseChainFile(text, file);
      const back = operatorsOwn(second.text, second.owned, file);
      // A table that an overlay brought may stay behind, empty.
      expect(withoutEmptyTables(back)).toEqual(withoutEmptyTables(original));
    }),
    { numRuns: 30 },
  );
});

function withoutEmptyTables(root: TomlTable): TomlTable {
  return Object.fromEntries(Object.entries(root).filter(([, found]) => JSON.stringify(found) !== '{}'));
}
