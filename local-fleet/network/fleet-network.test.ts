import { expect, test } from '@jest/globals';
import type { FleetFile } from '../data/layout.ts';
import { FleetServer } from '../nodes/fleet-server.ts';
import type { ReadyLine } from '../ready-line.ts';
import { FleetNetwork } from './fleet-network.ts';

const ready: ReadyLine = {
  ready: true,
  mqtt: 'localhost:1',
  https: 'https://localhost:2',
  socket: '/cloud/https.sock',
  credentialProvider: 'localhost:3',
  ca: '/ca.pem',
  region: 'local',
  accessKeyId: 'a',
  secretAccessKey: 'b',
};

test('a server whose network can be cut has no way to its cloud that goes past its links', async () => {
  const node = { name: 'a', kind: 'validator', zone: 'z', rpcPort: 4, p2pPort: 5 } as const;
  const chain = { homes: { a: { home: '/chain/a' } } };
  const server = new FleetServer('/data', { fleet: 'demo', chain } as unknown as FleetFile, node);
  const network = new FleetNetwork();
  try {
    const route = (await network.routes([server], ready)).get('a');
    // As a server's home is written from both (fleet.ts).
    const { mqtt, https, socket, credentialProvider } = { ...ready, ...route };
    expect(socket).toBeUndefined();
    for (const [own, direct] of [
      [mqtt, ready.mqtt],
      [https, ready.https],
      [credentialProvider, ready.credentialProvider],
    ])
      expect(own).not.toBe(direct);
  } finally {
    network.stop();
  }
});
