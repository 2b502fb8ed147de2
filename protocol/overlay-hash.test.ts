import { expect, test } from '@jest/globals';
import { overlayHash } from './overlay-hash.ts';

test('the order of keys does not matter, content does', () => {
  const one = overlayHash({ 'config.toml': { p2p: { pex: false, max: 1 }, rpc: {} } });
  expect(overlayHash({ 'config.toml': { rpc: {}, p2p: { max: 1, pex: false } } })).toBe(one);
  expect(overlayHash({ 'config.toml': { rpc: {}, p2p: { max: 2, pex: false } } })).not.toBe(one);
  expect(one).toMatch(/^[0-9a-f]{16}$/);
});

test('no overlay is the empty one', () => {
  expect(overlayHash(undefined)).toBe(overlayHash({}));
});
