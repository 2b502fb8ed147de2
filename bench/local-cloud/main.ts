/**
 * `npm run bench:local-cloud`: what the local cloud does in a second, beside other emulators, and whether it loses anything. See
 * docs/local-cloud.md. The last line is one JSON object.
 */

import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { localhostTls } from '../../e2e/engines/localhost-tls.ts';
import {
  type PeerName,
  type PeerOptions,
  peerCredentials,
  peersBin,
  peerVersions,
  startPeer,
} from '../../e2e/engines/peers.ts';
import { freePorts } from '../../local-fleet/processes/ports.ts';
import { endProcess, Registrar, startCloud } from './cloud.ts';
import { floorMark, runFloorServer, startFloorServer } from './floor-server.ts';
import { makeThings, measureUpdates } from './https-part.ts';
import { measureKills } from './kills-part.ts';
import { connectionsMany, manyConnections, oneInFlight } from './mqtt-part.ts';
import { childMark, measurePilots, pilotsChild } from './pilots-part.ts';
import { placeOf } from './place.ts';
import { measureRule, writeFunction } from './rule-part.ts';
import { dataOf, fillFolder } from './start-part.ts';

const usage = `usage: npm run bench:local-cloud -- [--part http|https|mqtt|start|rule|pilots|kills]… [--json]
  --part       one or more; without it: http, https, mqtt, start, rule
  --seconds N  each measurement of http, https and mqtt (5)
  --no-peers   http and https without MiniStack and moto
  --pilots N   of part pilots (2000), --minutes M (10), --connects N a second (100); --rules: with Beam's rules and Lambdas
  --minutes M  of part kills (30), --kill-every S (60)`;

const partNames = ['http', 'https', 'mqtt', 'start', 'rule', 'pilots', 'kills'] as const;
type PartName = (typeof partNames)[number];
const startThings = 10_000;

const say = (line: string) => process.stderr.write(`${line}\n`);

function options() {
  const { values } = parseArgs({
    options: {
      part: { type: 'string', multiple: true, default: ['http', 'https', 'mqtt', 'start', 'rule'] },
      seconds: { type: 'string', default: '5' },
      'no-peers': { type: 'boolean', default: false },
      pilots: { type: 'string', default: '2000' },
      minutes: { type: 'string' },
      connects: { type: 'string', default: '100' },
      rules: { type: 'boolean', default: false },
      'kill-every': { type: 'string', default: '60' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  return values;
}
type Options = ReturnType<typeof options>;

type Part = (folder: string, values: Options) => Promise<object>;

/** A cloud without rules and functions of Beam's. */
const bare = (folder: string) => writeFunction(folder);

async function startedPeer(bin: string, name: PeerName, folder: string, tls: PeerOptions['tls']) {
  mkdirSync(folder);
  const [port = 0] = await freePorts(1);
  const peer = await startPeer(bin, name, { folder, port, ...(tls && { tls }) });
  const place = {
    host: '127.0.0.1',
    port,
    credentials: peerCredentials,
    ...(tls && { ca: readFileSync(tls.ca, 'utf8') }),
  };
  await makeThings(place);
  return { place, pid: peer.child.pid, stop: () => peer.stop() };
}

/** The local cloud, the floor and the peers, all with TLS or all without. */
async function updateRates(folder: string, withTls: boolean, values: Options): Promise<object> {
  mkdirSync(folder, { recursive: true });
  const tls = withTls ? await localhostTls(folder) : undefined;
  const cloud = await startCloud(folder, [...bare(folder), ...(withTls ? [] : ['--http-port', '0'])]);
  const floor = await startFloorServer(fileURLToPath(import.meta.url), folder, tls);
  const peers: Awaited<ReturnType<typeof startedPeer>>[] = [];
  try {
    const names: PeerName[] = values['no-peers'] ? [] : ['ministack', 'moto'];
    const bin = names.length > 0 ? peersBin(say) : '';
    for (const name of names) peers.push(await startedPeer(bin, name, join(folder, name), tls));
    const own = { place: placeOf(cloud.ready), pid: cloud.child.pid };
    const servers = [own, floor, ...peers];
    const [localCloud, synced, ...others] = await measureUpdates(servers, Number(values.seconds));
    const results = Object.fromEntries(
      names.map((name, index) => [name, { version: peerVersions[name], ...others[index] }]),
    );
    const [ministack] = others;
    const ratio = (a: number, b: number) => Math.round((a / b) * 100) / 100;
    return {
      localCloud,
      floor: synced?.sequential,
      ...results,
      ...(localCloud &&
        ministack && {
          overMiniStack: {
            sequential: ratio(localCloud.sequential.perSecond, ministack.sequential.perSecond),
            at50: ratio(localCloud.at50.perSecond, ministack.at50.perSecond),
            p99At50: ratio(localCloud.at50.ms.p99, ministack.at50.ms.p99),
          },
        }),
    };
  } finally {
    for (const peer of peers) await peer.stop();
    await floor.stop();
    await endProcess(cloud.child, 'SIGTERM');
  }
}

const parts: Record<PartName, Part> = {
  http: (folder, values) => updateRates(folder, false, values),
  https: (folder, values) => updateRates(folder, true, values),

  async mqtt(folder, values) {
    const cloud = await startCloud(folder, bare(folder));
    try {
      const registrar = new Registrar(cloud.ready);
      await registrar.allowAll();
      const names = Array.from({ length: connectionsMany }, (_, index) => `bench_${index}`);
      const devices = await registrar.devices(names);
      registrar.close();
      const [first] = devices;
      if (!first) throw new Error('no device');
      const sdkUpdateToAcceptedMs = await oneInFlight(cloud.ready, first, 2000);
      const from50Connections = await manyConnections(cloud.ready, devices, Number(values.seconds));
      return { sdkUpdateToAcceptedMs, from50Connections };
    } finally {
      await endProcess(cloud.child);
    }
  },

  async start(folder) {
    const first = await startCloud(folder);
    const registrar = new Registrar(first.ready);
    await registrar.allowAll();
    const [model] = await registrar.devices(['model']);
    registrar.close();
    await endProcess(first.child, 'SIGTERM');
    if (!model) throw new Error('no device');
    await fillFolder(dataOf(folder), startThings, model);
    const startMs: number[] = [];
    for (let round = 0; round < 3; round++) {
      const cloud = await startCloud(folder);
      startMs.push(Math.round(cloud.startMs));
      await endProcess(cloud.child);
    }
    return { things: startThings, emptyMs: Math.round(first.startMs), startMs };
  },

  async rule(folder) {
    const cloud = await startCloud(folder, writeFunction(folder));
    const registrar = new Registrar(cloud.ready);
    try {
      await registrar.allowAll();
      const [device] = await registrar.devices(['bench_rule']);
      if (!device) throw new Error('no device');
      return { publishToHandlerMs: await measureRule(folder, cloud.ready, registrar, device, 500) };
    } finally {
      registrar.close();
      await endProcess(cloud.child);
    }
  },

  async pilots(folder, values) {
    const cloud = await startCloud(folder, values.rules ? [] : bare(folder));
    try {
      const order = {
        pilots: Number(values.pilots),
        minutes: Number(values.minutes ?? 10),
        connectsPerSecond: Number(values.connects),
      };
      const script = fileURLToPath(import.meta.url);
      return {
        withRules: values.rules,
        ...(await measurePilots(script, cloud, placeOf(cloud.ready), order, say)),
      };
    } finally {
      await endProcess(cloud.child);
    }
  },

  async kills(folder, values) {
    const minutes = Number(values.minutes ?? 30);
    return measureKills(folder, { minutes, killEverySeconds: Number(values['kill-every']) }, say);
  },
};

function load(): number {
  return Math.round((loadavg()[0] ?? 0) * 10) / 10;
}

async function main(): Promise<number> {
  let values: Options;
  try {
    values = options();
  } catch (error) {
    say(`${String(error)}\n${usage}`);
    return 2;
  }
  if (values.help) {
    say(usage);
    return 0;
  }
  const unknown = values.part.find((name) => !partNames.some((known) => known === name));
  if (unknown !== undefined) {
    say(`there is no part ${unknown}\n${usage}`);
    return 2;
  }
  const results: Record<string, object> = {};
  for (const name of partNames.filter((known) => values.part.includes(known))) {
    const folder = mkdtempSync(join(tmpdir(), `beam-bench-${name}-`));
    const before = load();
    try {
      const measured = await parts[name](folder, values);
      results[name] = { ...measured, load: { before, after: load() } };
      say(`${name}: ${JSON.stringify(results[name])}`);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
  process.stdout.write(`${values.json ? JSON.stringify(results) : JSON.stringify(results, undefined, 2)}\n`);
  return 0;
}

if (process.argv.includes(childMark)) await pilotsChild();
else if (process.argv[2] === floorMark) runFloorServer(process.argv.slice(3));
else process.exit(await main());
