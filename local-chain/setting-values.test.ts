import { expect, test } from '@jest/globals';
import type { SettingKind } from './config-keys.ts';
import { durationMs, listenAddress, peerAddresses, readSetting, SettingError } from './setting-values.ts';

const id = 'ab'.repeat(20);

test.each<[unknown, number]>([
  ['3s', 3_000],
  ['500ms', 500],
  ['168h0m0s', 604_800_000],
  ['1.5s', 1_500],
  ['0', 0],
  ['1m.5s', 60_500],
  [2_000_000, 2],
])('a duration of %p', (text, ms) => {
  expect(durationMs(text)).toBe(ms);
});

test.each(['3', '3 s', 's', '-1s', '', true, ['3s'], -5])('no duration: %p', (value) => {
  expect(() => durationMs(value)).toThrow(SettingError);
});

test('addresses to listen at', () => {
  expect(listenAddress('tcp://0.0.0.0:26657')).toEqual({ kind: 'tcp', host: '0.0.0.0', port: 26_657 });
  expect(listenAddress('tcp://:26657')).toEqual({ kind: 'tcp', host: '', port: 26_657 });
  expect(listenAddress('tcp://[::1]:1')).toEqual({ kind: 'tcp', host: '::1', port: 1 });
  expect(listenAddress('unix:///run/x.sock')).toEqual({ kind: 'unix', path: '/run/x.sock' });
  expect(listenAddress('')).toBeUndefined();
  for (const wrong of ['localhost:26657', 'tcp://a', 'tcp://a:99999', 'http://a:1', 26_657, 'unix://']) {
    expect(() => listenAddress(wrong)).toThrow('invalid listening address');
  }
});

test('peers', () => {
  expect(peerAddresses(` ${id}@10.0.0.1:26656, ${id}@host.example:1,`)).toEqual([
    { id, host: '10.0.0.1', port: 26_656 },
    { id, host: 'host.example', port: 1 },
  ]);
  expect(peerAddresses('')).toEqual([]);
  for (const wrong of [
    '10.0.0.1:1',
    'ab@10.0.0.1:1',
    `${id}@10.0.0.1`,
    `${id}@10.0.0.1:0`,
    `${id}@h:99999`,
  ]) {
    expect(() => peerAddresses(wrong)).toThrow(SettingError);
  }
});

test('numbers, texts and booleans stand for each other as gaiad lets them', () => {
  expect(readSetting('bool', 'true')).toBe(true);
  expect(readSetting('bool', 0)).toBe(false);
  expect(readSetting('count', '40')).toBe(40);
  expect(readSetting('string', 5)).toBe('5');
  expect(readSetting('strings', ['a', 1])).toEqual(['a', '1']);
  expect(readSetting('logLevel', 'p2p:debug,*:error')).toBe('p2p:debug,*:error');
});

test.each<[SettingKind, unknown]>([
  ['bool', 'yes'],
  ['bool', {}],
  ['count', 'forty'],
  ['count', -1],
  ['count', [1]],
  ['string', ['a']],
  ['strings', 4],
  ['strings', [['a']]],
  ['logLevel', 'loud'],
  ['nodeIds', 'abc'],
  [['plain', 'json'], 'xml'],
])('as %p refused: %p', (kind, value) => {
  expect(() => readSetting(kind, value)).toThrow(SettingError);
});
