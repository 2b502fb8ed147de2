import { expect, test } from '@jest/globals';
import { initialPeers, type PeerNode } from './initial-peers.ts';

const node = (name: string, kind: PeerNode['kind']): PeerNode => ({
  name,
  kind,
  address: `${name}@127.0.0.1:1`,
});
const outside = [node('x', 'outside'), node('y', 'outside')];

test('validators reach the network through their sentries alone, and the outside dials the sentries', () => {
  const fleet = [node('a', 'validator'), node('b', 'validator'), node('s1', 'sentry'), node('s2', 'sentry')];
  expect(initialPeers([...fleet, ...outside])).toEqual({
    a: 's1@127.0.0.1:1,s2@127.0.0.1:1',
    b: 's1@127.0.0.1:1,s2@127.0.0.1:1',
    s1: 'x@127.0.0.1:1,y@127.0.0.1:1,s2@127.0.0.1:1',
    s2: 'x@127.0.0.1:1,y@127.0.0.1:1,s1@127.0.0.1:1',
    x: 'y@127.0.0.1:1,s1@127.0.0.1:1,s2@127.0.0.1:1',
    y: 'x@127.0.0.1:1,s1@127.0.0.1:1,s2@127.0.0.1:1',
  });
});

test('without sentries the validators meet the outside and each other', () => {
  expect(initialPeers([node('a', 'validator'), node('b', 'validator'), ...outside])).toEqual({
    a: 'x@127.0.0.1:1,y@127.0.0.1:1,b@127.0.0.1:1',
    b: 'x@127.0.0.1:1,y@127.0.0.1:1,a@127.0.0.1:1',
    x: 'y@127.0.0.1:1,a@127.0.0.1:1,b@127.0.0.1:1',
    y: 'x@127.0.0.1:1,a@127.0.0.1:1,b@127.0.0.1:1',
  });
});
