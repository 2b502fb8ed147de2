/**
 * A whole fleet on one machine: local cloud, chain, and for each server a home, a certificate, a pilot, and on
 * validators a signer. It is made once; later starts go on from its files. The runner of this process is the
 * parent of cloud, pilots and signers; gaiad is its pilot's child and outlives it.
 */

import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { configureFleet } from '../operator/actions/configure-fleet.ts';
import { connectOperator, disconnect, type Operator } from '../operator/actions/operator.ts';
import { signRecordKey } from '../protocol/sign-record.ts';
import { bundleCommands, keepBundles } from './bundles.ts';
import { consensusAddressOf } from './data/consensus-key.ts';
import { dataPaths, FleetDataError, type FleetFile, writeFleetFile, writeJson } from './data/layout.ts';
import { placeConsensusKey, writeNodeHome } from './data/node-home.ts';
import { enrolValidators } from './enrol.ts';
import {
  cloudPorts,
  type FleetPlan,
  makeFleet,
  requirePorts,
  storedFleet,
  withCredentialsPort,
} from './fleet-plan.ts';
import type { FleetNetwork, Route } from './network/fleet-network.ts';
import { FleetServer } from './nodes/fleet-server.ts';
import { lockFolder } from './processes/folder-lock.ts';
import { endProcess, processesWithArgument, signalProcess } from './processes/process-identity.ts';
import { firstThreadInRealTime, inRealTime } from './processes/real-time.ts';
import { Runner, type RunnerEvent } from './processes/runner.ts';
import { type ReadyLine, waitForReadyLine } from './ready-line.ts';
import { type OperatorFiles, registerFleet } from './register.ts';

export interface LocalFleetOptions {
  /** Absolute. */
  data: string;
  bundles: string;
  plan: FleetPlan;
  /** Between two automatic failovers. */
  cooldownSeconds: number;
  healthSeconds: number;
  /** What is done, step by step. */
  say(line: string): void;
  onProcess(event: RunnerEvent): void;
  signal: AbortSignal;
  /** Left out: each server reaches the cloud and the others directly. */
  network?: FleetNetwork | undefined;
  /** Left out: a local cloud of the fleet's own. */
  cloud?: OtherCloud | undefined;
}

/** A cloud that runs already, with Beam deployed in it. */
export interface OtherCloud extends ReadyLine {
  /** The validators' access, where it has no credentials provider: an AWS shared credentials file. */
  credentials?: string;
}

/** Time for a node to write out its databases. */
const gaiadGraceMs = 10_000;
const cloudProcess = 'cloud';
/** A cloud that ends so often does not come up by being started again. */
const cloudTriesMax = 2;
/** Of a log, for an error. */
const lastWordsCharsMax = 600;

export class LocalFleet {
  readonly #options: LocalFleetOptions;
  readonly runner: Runner;
  #unlock: (() => void) | undefined;
  #started:
    | { file: FleetFile; ready: ReadyLine; servers: FleetServer[]; cloud: Operator; operator: OperatorFiles }
    | undefined;

  constructor(options: LocalFleetOptions) {
    this.#options = options;
    this.runner = new Runner(dataPaths(options.data).processes, options.onProcess);
  }

  get #fleet() {
    if (!this.#started) throw new Error('the fleet has not been started');
    return this.#started;
  }
  get file(): FleetFile {
    return this.#fleet.file;
  }
  get ready(): ReadyLine {
    return this.#fleet.ready;
  }
  get servers(): readonly FleetServer[] {
    return this.#fleet.servers;
  }
  /** `<chain id>/<consensus address>`. */
  get recordKey(): string {
    const { chainId, consensusKeyFile } = this.file.chain;
    return signRecordKey(chainId, consensusAddressOf(consensusKeyFile));
  }
  /** AWS's clients on the fleet's cloud. */
  get cloud(): Operator {
    return this.#fleet.cloud;
  }
  get data(): string {
    return this.#options.data;
  }
  /** None while it is not started. */
  startedServers(): readonly FleetServer[] {
    return this.#started?.servers ?? [];
  }
  /** An operator's certificate and key, for whoever watches by MQTT. */
  get operator(): OperatorFiles {
    return this.#fleet.operator;
  }

  /**
   * @throws FolderInUseError, FleetDataError, PortTakenError, ChainMakeError, or what the cloud said; then `stop` still
   * has to be called.
   */
  async start(): Promise<void> {
    const { data, bundles, plan, say, signal, cloud: other } = this.#options;
    const paths = dataPaths(data);
    const commands = bundleCommands(bundles);
    const unlock = lockFolder(data);
    const letBundlesGo = keepBundles(bundles);
    this.#unlock = () => {
      letBundlesGo();
      unlock();
    };
    const left = await this.runner.endLeftovers();
    if (left.length > 0) say(`ended what an earlier run had left: ${left.join(', ')}`);
    const stored = storedFleet(data, plan, commands.standInScript);
    const ports = await withCredentialsPort(stored?.cloud ?? (await cloudPorts(plan)));
    if (!other) {
      await requirePorts([
        { port: ports.mqttPort, what: "the cloud's MQTT" },
        { port: ports.httpsPort, what: "the cloud's HTTPS" },
        { port: ports.credentialsPort, what: "the cloud's credentials provider" },
      ]);
    }
    const making = stored
      ? { ...stored, cloud: ports }
      : makeFleet(data, plan, ports, commands.standInScript);
    const [ready, file] = await Promise.all([other ?? this.#startCloud(ports), making]);
    signal.throwIfAborted();
    writeFleetFile(data, file);
    writeJson(paths.local, ready);
    say(
      `${other ? '' : 'local '}cloud ready at ${ready.https}; chain ${file.chain.chainId} (${file.chain.name})`,
    );

    const servers = file.nodes.map((node) => new FleetServer(data, file, node));
    await this.#requireNodePorts(servers);
    const routes = await this.#options.network?.routes(servers, ready);
    await Promise.all(
      servers.map((server) => this.#writeHome(server, file, ready, routes?.get(server.name))),
    );
    const cloud = connectOperator({
      region: ready.region,
      endpoint: ready.https,
      ca: ready.ca,
      credentials: { accessKeyId: ready.accessKeyId, secretAccessKey: ready.secretAccessKey },
    });
    const operator = await registerFleet(cloud, file.fleet, servers, paths.pki);
    signal.throwIfAborted();
    say(`${servers.length} servers registered, each with its own certificate`);
    this.#started = { file, ready, servers, cloud, operator };

    for (const other of file.chain.others) {
      this.runner.start({
        name: other.name,
        command: other.command,
        cwd: data,
        logFile: join(paths.logs, `${other.name}.log`),
      });
    }
    await enrolValidators(
      servers.filter(({ isValidator }) => isValidator),
      commands.beam,
      signal,
    );
    await configureFleet(cloud, {
      fleet: file.fleet,
      recordKey: this.recordKey,
      automaticFailover: true,
      cooldownSeconds: this.#options.cooldownSeconds,
    });
    say('the consensus key is enrolled; failover is on');
    for (const server of servers) this.#startSigner(server, commands.signer);
    for (const server of servers) this.#startPilot(server, commands.pilot);
    say('pilots and signers started');
  }

  async #startCloud({
    mqttPort,
    httpsPort,
    credentialsPort,
  }: Required<FleetFile['cloud']>): Promise<ReadyLine> {
    const { data, bundles, signal } = this.#options;
    const paths = dataPaths(data);
    await mkdir(paths.logs, { recursive: true });
    const stdoutFile = join(paths.logs, 'cloud.ready');
    const logFile = join(paths.logs, 'cloud.log');
    const ports = ['--mqtt-port', String(mqttPort), '--https-port', String(httpsPort)];
    ports.push('--credentials-port', String(credentialsPort));
    this.runner.start({
      name: cloudProcess,
      // Its Lambda host runs anyone's functions: as all do.
      command: firstThreadInRealTime([
        ...bundleCommands(bundles).cloud,
        '--data',
        paths.cloud,
        ...ports,
        '--json',
      ]),
      cwd: data,
      logFile,
      stdoutFile,
    });
    const ended = () =>
      this.runner.restarts(cloudProcess) < cloudTriesMax
        ? undefined
        : `the local cloud does not start; see ${logFile}${lastWords(logFile)}`;
    return waitForReadyLine(stdoutFile, ended, signal);
  }

  /** A gaiad that an earlier run left is found again by its pilot; any other process on our ports is in the way. */
  async #requireNodePorts(servers: readonly FleetServer[]): Promise<void> {
    const needed = servers
      .filter((server) => server.gaiad() === undefined)
      .flatMap(({ name, p2pPort, rpcPort }) => [
        { port: p2pPort, what: `${name}'s p2p` },
        { port: rpcPort, what: `${name}'s RPC` },
      ]);
    await requirePorts(needed);
  }

  async #writeHome(
    server: FleetServer,
    file: FleetFile,
    ready: ReadyLine,
    route: Route | undefined,
  ): Promise<void> {
    const { chain, fleet } = file;
    const { credentialProvider } = ready;
    const { credentials } = this.#options.cloud ?? {};
    if (credentialProvider === undefined && credentials === undefined) {
      throw new FleetDataError(
        `the local cloud at ${ready.https} tells no credentials provider: it is of an earlier version`,
      );
    }
    await writeNodeHome({
      root: server.root,
      node: { fleet, node: server.name, kind: server.kind, zone: server.zone },
      cloud: { ...ready, credentials, ...route },
      gaiad: {
        command: chain.binary,
        startArguments: chain.startArguments,
        home: server.gaiadHome,
        rpcPort: server.rpcPort,
        p2pPort: route?.p2pPort ?? server.p2pPort,
      },
      chainId: chain.chainId,
      healthSeconds: this.#options.healthSeconds,
    });
    if (server.isValidator) await placeConsensusKey(server.root, chain.consensusKeyFile);
  }

  #startSigner(server: FleetServer, command: readonly string[]): void {
    if (server.signerProcess === undefined) return;
    this.runner.start({
      name: server.signerProcess,
      command: inRealTime([...command, '--home', server.root]),
      cwd: server.root,
      logFile: server.log('signer'),
    });
  }

  #startPilot(server: FleetServer, command: readonly string[]): void {
    this.runner.start({
      name: server.pilotProcess,
      command: [...command, '--home', server.root],
      cwd: server.root,
      logFile: server.log('pilot'),
    });
  }

  /** Ends every process of the fleet, gaiads too. */
  async stop(): Promise<void> {
    const servers = this.#started?.servers ?? [];
    // Pilots first: none should see its gaiad end, nor ask for the role.
    const pilots = servers.map(({ pilotProcess }) => pilotProcess);
    const signers = servers.flatMap(({ signerProcess }) => signerProcess ?? []);
    const others = (this.#started?.file.chain.others ?? []).map(({ name }) => name);
    await this.runner.stopGroup(pilots);
    // By their homes: a pilot that was killed may not have written its gaiad down.
    const gaiads = servers.flatMap(({ gaiadHome }) => processesWithArgument(gaiadHome));
    await Promise.all(gaiads.map((gaiad) => endProcess(gaiad, gaiadGraceMs)));
    await this.runner.stopAll([[...signers, ...others], [cloudProcess]]);
    if (this.#started) disconnect(this.#started.cloud);
    this.#options.network?.stop();
    this.#unlock?.();
    this.#unlock = undefined;
  }

  /** For a second Ctrl-C: SIGKILL to all, nothing awaited. */
  killNow(): void {
    this.runner.killAllNow();
    const homes = this.startedServers().map(({ gaiadHome }) => gaiadHome);
    for (const gaiad of homes.flatMap(processesWithArgument)) signalProcess(gaiad, 'SIGKILL');
    this.#unlock?.();
  }
}

function lastWords(logFile: string): string {
  try {
    const text = readFileSync(logFile, 'utf8').trim();
    return text === '' ? '' : `, which ends:\n${text.slice(-lastWordsCharsMax)}`;
  } catch {
    return '';
  }
}
