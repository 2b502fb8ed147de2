import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { writeFleetFile } from './data/layout.ts';
import { cloudPorts, type FleetPlan, requirePorts, storedFleet, usualNodes } from './fleet-plan.ts';
import { freePorts } from './processes/ports.ts';

const root = mkdtempSync(join(tmpdir(), 'beam-plan-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const plan: FleetPlan = { fleet: 'demo', chainId: 'beam-demo', nodes: usualNodes() };

function madeFolder(): string {
  const data = mkdtempSync(join(root, 'x'));
  writeFleetFile(data, {
    version: 1,
    fleet: 'demo',
    cloud: { mqttPort: 1001, httpsPort: 1002 },
    nodes: [],
    blockSeconds: 2,
    chain: {
      name: 'stand-in',
      standIn: true,
      binary: ['node', '/an/older/bundle.js'],
      startArguments: [],
      chainId: 'beam-demo',
      consensusKeyFile: '/key',
      homes: {},
      others: [],
    },
  });
  return data;
}

test('a fleet has its validators in two zones by turns, and a sentry in each', () => {
  const shown = usualNodes(3).map(({ name, kind, zone }) => `${name} ${kind} ${zone}`);
  expect(shown).toEqual([
    'a validator local-1',
    'b validator local-2',
    'c validator local-1',
    's1 sentry local-1',
    's2 sentry local-2',
  ]);
});

test('a made fleet goes on with its ports and the stand-in of the code that runs now', () => {
  expect(storedFleet(mkdtempSync(join(root, 'x')), plan, '/now.js')).toBeUndefined();
  const stored = storedFleet(madeFolder(), { ...plan, httpsPort: 2002 }, '/now.js');
  expect(stored?.cloud).toEqual({ mqttPort: 1001, httpsPort: 2002 });
  expect(stored?.chain.binary).toEqual([process.execPath, '/now.js']);
});

test('another chain or block time than the made one is refused', () => {
  const data = madeFolder();
  expect(() => storedFleet(data, { ...plan, chain: '/opt/gaiad' }, '')).toThrow(
    /on stand-in, not on .*--data/,
  );
  expect(() => storedFleet(data, { ...plan, blockSeconds: 6 }, '')).toThrow(/blocks of 2 s, not 6 s/);
  expect(storedFleet(data, { ...plan, chain: 'stand-in', blockSeconds: 2 }, '')).toBeDefined();
});

test('a port in use is named with what needs it', async () => {
  const [port = 0, free = 0] = await freePorts(2);
  const server = createServer().listen(port, '127.0.0.1');
  await once(server, 'listening');
  const needed = [
    { port, what: "the cloud's MQTT" },
    { port: free, what: "the cloud's HTTPS" },
  ];
  await expect(requirePorts(needed)).rejects.toThrow(
    new RegExp(`port ${port} \\(the cloud's MQTT\\); .*--mqtt-port`),
  );
  server.close();
  await once(server, 'close');
  await requirePorts(needed);
});

test('given ports are taken as they are; else free ones', async () => {
  expect(await cloudPorts({ ...plan, mqttPort: 5, httpsPort: 6 })).toMatchObject({
    mqttPort: 5,
    httpsPort: 6,
  });
  const { mqttPort, httpsPort } = await cloudPorts({ ...plan, freePortsOnly: true });
  expect(mqttPort).not.toBe(8883);
  expect(httpsPort).toBeGreaterThan(1023);
});
