/** Beam on MiniStack: deployed by its own command, then a fleet of real pilots and signers with the faults of a drill. */

import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { get } from 'node:https';
import { join } from 'node:path';
import { promisify } from 'node:util';
import * as z from 'zod';
import { revoke } from '../../certs-scripts/rotate.ts';
import { bundleCommands } from '../../local-fleet/bundles.ts';
import type { DrillFleet } from '../../local-fleet/drill/drill-fleet.ts';
import { judgeRound, type Round } from '../../local-fleet/drill/judge.ts';
import { keepEvidence, removeFleetFolders } from '../../local-fleet/drill/keep-evidence.ts';
import { runRound } from '../../local-fleet/drill/round.ts';
import { drillFleet, openDrill } from '../../local-fleet/drill/run-drill.ts';
import type { LocalFleet, OtherCloud } from '../../local-fleet/fleet.ts';
import { freePorts } from '../../local-fleet/processes/ports.ts';
import { ActionError } from '../../operator/actions/errors.ts';
import { connectOperator, disconnect } from '../../operator/actions/operator.ts';
import { removeServer } from '../../operator/actions/remove-server.ts';
import { type Peer, peerCredentials, startPeer } from './peers.ts';
import { compareRecord } from './record.ts';
import type { EngineRun } from './run.ts';

const region = 'us-east-1';
const credentialsFile = `[default]\naws_access_key_id = ${peerCredentials.accessKeyId}\naws_secret_access_key = ${peerCredentials.secretAccessKey}\n`;
const blockSeconds = 2;
const deployMsMax = 60_000;
const run = promisify(execFile);

const deployed = z.object({
  changes: z.array(z.object({ kind: z.string(), name: z.string(), change: z.string() })),
});

export async function testMiniStack(given: EngineRun): Promise<void> {
  const { folder, bin, tls, step } = given;
  const [port = 0, mqttPort = 0] = await freePorts(2);
  let engine: Peer | undefined;
  const credentials = join(folder, 'credentials');
  const place: OtherCloud = {
    ready: true,
    mqtt: `localhost:${mqttPort}`,
    https: `https://localhost:${port}`,
    ca: join(folder, 'ca.pem'),
    region,
    ...peerCredentials,
    credentials,
  };
  try {
    await step('starts, on loopback alone', async () => {
      engine = await startPeer(bin, 'ministack', { folder, port, mqttPort, tls });
      // Its MQTT certificate is of an authority of its own.
      const own = readFileSync(tls.ca, 'utf8');
      writeFileSync(credentials, credentialsFile, { mode: 0o600 });
      writeFileSync(place.ca, own + (await getText(`${place.https}/_ministack/iot/ca.pem`, own)));
      return `${place.https}, MQTT at ${place.mqtt}`;
    });
    await step('beam cloud deploy', async () => {
      const kinds = countKinds(await deploy(given, place));
      if (kinds.unchanged !== undefined) throw new Error(`${kinds.unchanged} things were there before`);
      return describeKinds(kinds);
    });
    await step('beam cloud deploy again: nothing changes', async () => {
      const changed = (await deploy(given, place)).filter(({ change }) => change !== 'unchanged');
      if (changed.length > 0)
        throw new Error(changed.map(({ kind, name, change }) => `${change} ${kind} ${name}`).join(', '));
      return 'all unchanged';
    });
    await step("the sign record's conditions mean what they mean to the model", async () => {
      const operator = connectOperator({
        region,
        endpoint: place.https,
        ca: place.ca,
        credentials: peerCredentials,
      });
      try {
        const { updates, taken } = await compareRecord(operator.dynamodb);
        return `${updates} updates, ${taken} of them taken`;
      } finally {
        disconnect(operator);
      }
    });
    await testFleet(given, place);
    await step("Beam's functions ended without an error", async () => {
      const log = engine?.log ?? '';
      const errors = readFileSync(log, 'utf8').match(/^.*\bERROR \[lambda.*$/gm) ?? [];
      if (errors.length > 0) throw new Error(`${errors.length} in ${log}; the first: ${errors[0]}`);
      return 'its log has none';
    });
  } finally {
    await engine?.stop();
  }
}

/** Pilots, signers and the stand-in chain as the local cloud's fleets have them; the cloud is the engine. */
async function testFleet(
  { folder, bundles, say, signal, step }: EngineRun,
  cloud: OtherCloud,
): Promise<void> {
  const data = join(folder, 'fleet');
  await mkdir(data);
  const quiet = (line: string) => say(`    ${line}`);
  const options = { bundles, chain: 'stand-in', blockSeconds, say: quiet, signal, cloud };
  const fleet: LocalFleet = drillFleet(data, options);
  const killNow = () => fleet.killNow();
  process.once('exit', killNow);
  const rounds: Round[] = [];
  let drill: DrillFleet | undefined;
  let whole = false;
  try {
    await step('servers registered, pilots connected, the first validator active', async () => {
      await fleet.start();
      drill = await openDrill(fleet, options);
      return `${fleet.servers.length} servers, holder ${(await drill.record()).holder}`;
    });
    for (const fault of ['none', 'host'] as const) {
      await step(`drill, fault ${fault}`, async () => {
        if (!drill) throw new Error('there is no fleet');
        const round = await runRound(drill, { fault, blockSeconds, random: Math.random, signal });
        rounds.push(round);
        const broken = judgeRound(round);
        if (broken.length > 0) throw new Error(broken.join('; '));
        return (
          `${round.missedHeights.length} missed, ${round.secondsWithoutSignature?.toFixed(2)} s without a signature, ` +
          `epoch ${round.epochBefore} → ${round.epochAfter} (${round.holderAfter}), ${round.conflicts} conflicts`
        );
      });
    }
    await step('a standby removed for good; the holder is refused', () => testRemoval(fleet, drill));
    whole = true;
  } finally {
    process.removeListener('exit', killNow);
    await drill?.close();
    await fleet.stop();
    if (!whole) await keepEvidence(folder, fleet, drill, rounds, {});
    await removeFleetFolders(fleet, data);
  }
}

/** Commander runs meanwhile. skipped.ts: a revoked certificate's connection, so the pilot is stopped before. */
async function testRemoval(fleet: LocalFleet, drill: DrillFleet | undefined): Promise<string> {
  const holder = (await drill?.record())?.holder;
  const nodeOf = (isHolder: boolean) => {
    const server = fleet.servers.find((one) => one.isValidator && (one.thing === holder) === isHolder);
    return server?.name ?? '';
  };
  const remove = (node: string) =>
    removeServer(fleet.cloud, {
      fleet: fleet.file.fleet,
      node,
      revoke: (arn) => revoke(fleet.cloud.iot, arn),
    });
  const refused = await remove(nodeOf(true)).catch((error: unknown) => error);
  if (!(refused instanceof ActionError)) throw new Error(`the holder ${holder} was not refused: ${refused}`);
  const standby = fleet.servers.find(({ name }) => name === nodeOf(false));
  await fleet.runner.stop(standby?.pilotProcess ?? '');
  const { thing, left } = await remove(nodeOf(false));
  if (left) throw new Error(`of ${thing} there is still ${JSON.stringify(left)}`);
  return `nothing is left of ${thing}`;
}

type Deployed = z.infer<typeof deployed>['changes'];

async function deploy({ bundles, signal, tls }: EngineRun, { https }: OtherCloud): Promise<Deployed> {
  const [file = '', ...before] = bundleCommands(bundles).beam;
  const args = ['cloud', 'deploy', '--endpoint', https, '--ca', tls.ca, '--region', region, '--json'];
  const { accessKeyId, secretAccessKey } = peerCredentials;
  const env = { ...process.env, AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey };
  const { stdout } = await run(file, [...before, ...args], { env, signal, timeout: deployMsMax });
  return deployed.parse(JSON.parse(stdout)).changes;
}

function countKinds(changes: Deployed): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { kind, change } of changes) {
    const name = change === 'created' ? kind : change;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

export function describeKinds(kinds: Record<string, number>): string {
  return Object.entries(kinds)
    .map(([kind, count]) => `${count} ${kind}`)
    .join(', ');
}

function getText(url: string, ca: string): Promise<string> {
  return new Promise((done, fail) => {
    get(url, { ca }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      response.on('end', () =>
        response.statusCode === 200 ? done(text) : fail(new Error(`${url}: ${response.statusCode} ${text}`)),
      );
    }).on('error', fail);
  });
}
