/** `beam up`: a local fleet in the foreground, and a table of it. */

import { resolve } from 'node:path';
import { activateFirst } from '../local-fleet/activate-first.ts';
import { LocalFleet } from '../local-fleet/fleet.ts';
import { usualNodes } from '../local-fleet/fleet-plan.ts';
import { openWatch } from '../local-fleet/open-watch.ts';
import type { RunnerEvent } from '../local-fleet/processes/runner.ts';
import { whatIsMissing } from '../local-fleet/screen/fleet-view.ts';
import { Screen } from '../local-fleet/screen/screen.ts';
import type { Pids } from '../local-fleet/screen/table.ts';
import type { FleetWatch } from '../local-fleet/screen/watch.ts';
import { waitUntil } from '../local-fleet/wait-until.ts';
import { chainOption } from './chain-option.ts';
import { defaultData } from './cloud-place.ts';
import { exitCodes } from './errors.ts';
import { onInterrupt } from './interrupt.ts';
import type { UpOptions } from './options.ts';
import { wholeBundles } from './whole-bundles.ts';

const fleetName = 'demo';
const chainId = 'beam-demo';
/** The table should follow: a server's own default is 10 s. */
const healthSeconds = 2;
const cooldownSeconds = 60;
const wholeMsMax = 90_000;
const checkEveryMs = 100;
/** Of what is shown to be tried: with it the lines fit 80 columns. */
const commandWidth = 44;

export async function up(options: UpOptions): Promise<number> {
  const startedMs = performance.now();
  const data = resolve(options.data ?? defaultData(process.env));
  const chain = options.chain === undefined ? undefined : chainOption(options.chain);
  const { blockSeconds, mqttPort, httpsPort } = options;
  const interrupt = onInterrupt(() => fleet.killNow());
  const { signal } = interrupt;
  let watch: FleetWatch | undefined;
  const fleet = new LocalFleet({
    data,
    bundles: wholeBundles(),
    plan: {
      fleet: fleetName,
      chainId,
      chain,
      blockSeconds,
      mqttPort,
      httpsPort,
      nodes: usualNodes(options.validators),
    },
    cooldownSeconds,
    healthSeconds,
    say: (line) => screen.line(line),
    onProcess: (event) => {
      if (!ending && !signal.aborted)
        tellProcess(event, (line) => screen.event(line), options.verbose === true);
    },
    signal,
  });
  const screen = new Screen({
    out: process.stdout,
    head: () => head(fleet),
    foot: () => foot(fleet, watch),
    pids: () => pidsOf(fleet),
    nowMs: Date.now,
    env: process.env,
  });
  let code = 0;
  let ending = false;
  try {
    screen.line(`Beam: a fleet on this machine, in ${data}`);
    await fleet.start();
    watch = await openWatch(fleet, {
      onChange: (view, lines) => {
        screen.show(view);
        for (const line of lines) screen.event(line);
      },
      onTrouble: (reason) => screen.event(reason),
    });
    await watch.start();
    const trouble = await activateFirst(fleet, watch, wholeMsMax, signal).then(
      () => undefined,
      (error: Error) => error.message,
    );
    signal.throwIfAborted();
    // A person wants to see what there is, and the logs, rather than an empty screen.
    if (trouble !== undefined) screen.line(trouble);
    const whole = trouble === undefined && (await becomesWhole(watch, signal));
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
    if (whole) screen.line(`the fleet is up after ${seconds} s\n`);
    else {
      screen.line(
        `after ${seconds} s the fleet is not whole: ${whatIsMissing(watch.view)}; logs are in ${data}`,
      );
      code = exitCodes.failed;
    }
    screen.start();
    if (!options.once) await new Promise((resolve) => signal.addEventListener('abort', resolve));
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    screen.stop();
    ending = true;
    const ran = fleet.startedServers().length > 0;
    if (ran) screen.line('\nending every process of the fleet …');
    await watch?.stop();
    await fleet.stop();
    if (ran) screen.line('all ended; the next start goes on from here');
  }
  interrupt.release();
  return options.once && signal.aborted ? exitCodes.interrupted : code;
}

function becomesWhole(watch: FleetWatch, signal: AbortSignal): Promise<boolean> {
  const isWhole = () => whatIsMissing(watch.view) === undefined;
  return waitUntil(isWhole, { everyMs: checkEveryMs, timeoutMs: wholeMsMax, signal });
}

function tellProcess(event: RunnerEvent, tell: (line: string) => void, verbose: boolean): void {
  if (event.type === 'started') {
    if (verbose || event.restarts > 0) tell(`${event.name} runs as process ${event.pid}`);
    return;
  }
  const again = event.restartInMs === undefined ? '' : `; started again ${inTime(event.restartInMs)}`;
  if (event.type === 'failed') tell(`${event.name} can't be started: ${event.reason}${again}`);
  else tell(`${event.name} (${event.pid}) ended: ${event.how}${again}`);
}

function inTime(ms: number): string {
  return ms === 0 ? 'at once' : `in ${ms / 1000} s`;
}

function pidsOf(fleet: LocalFleet): Record<string, Pids> {
  return Object.fromEntries(
    fleet.startedServers().map((server) => [
      server.name,
      {
        pilot: fleet.runner.identity(server.pilotProcess)?.pid,
        signer: fleet.runner.identity(server.signerProcess ?? '')?.pid,
        gaiad: server.gaiad()?.pid,
      } satisfies Pids,
    ]),
  );
}

function head(fleet: LocalFleet): string[] {
  const { file, ready, data } = fleet;
  const chain = file.chain.standIn ? `${file.chain.chainId} (a stand-in, no real chain)` : file.chain.chainId;
  return [
    `fleet ${file.fleet} · chain ${chain} · blocks of ${file.blockSeconds} s`,
    `cloud ${ready.https} · MQTT ${ready.mqtt} · CA ${ready.ca}`,
    `logs in ${data}/nodes/*/logs`,
  ];
}

/** What to try next, with the names and pids of this moment. */
function foot(fleet: LocalFleet, watch: FleetWatch | undefined): string[] {
  const nodes = Object.values(watch?.view.nodes ?? {});
  const standby = nodes.find(({ role }) => role === 'standby')?.node ?? 'b';
  const active = fleet
    .startedServers()
    .find(({ name }) => nodes.find(({ node }) => node === name)?.role === 'active');
  const gaiad = active?.gaiad()?.pid;
  const where = fleet.data === resolve(defaultData(process.env)) ? '' : ` --data ${fleet.data}`;
  const { fleet: name } = fleet.file;
  const acts = [
    [`npx beam failover ${name}${where}`, 'planned: no block is missed'],
    [`npx beam shadow edit ${name}_${standby} role role=active${where}`, 'the same, by the shadow'],
    ...(gaiad === undefined ? [] : [[`kill -9 ${gaiad}`, "the active's gaiad dies"]]),
    ['npx beam drill --local --fault host', 'a rehearsal on its own fleet'],
  ];
  return [
    'Try, in another terminal:',
    ...acts.map(([command = '', does]) => `  ${command.padEnd(commandWidth)}  ${does}`),
    'Ctrl-C ends everything; started again it goes on from here.',
  ];
}
