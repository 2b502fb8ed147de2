/** One signer of one home: puts core, disk, table, node and control together. Constructors do nothing; `start` does. */

import type { SignerStatus } from '../protocol/signer-control.ts';
import { systemClock, systemRandom } from './clock.ts';
import { ControlServer } from './control.ts';
import { ClosedGuard, type Guard } from './core/guard.ts';
import { LocalSigner } from './core/local-signer.ts';
import { NodeWatch } from './core/node-watch.ts';
import type { Log, SigningKey, StateReading } from './core/ports.ts';
import { RecordSigner } from './core/record-signer.ts';
import { Releaser } from './core/release.ts';
import { consensusAddress, SigningService } from './core/service.ts';
import { nothingHeld, type SignerState } from './core/state.ts';
import { StateKeeper } from './core/state-keeper.ts';
import { DiskJournal } from './disk/journal.ts';
import { machineDigest } from './disk/machine-id.ts';
import { DiskStateFile } from './disk/state-file.ts';
import { lockState, StateInUseError } from './disk/state-lock.ts';
import { type DynamoTable, dynamoTable } from './dynamodb.ts';
import type { SignerHome } from './home.ts';
import { exposition } from './metrics/exposition.ts';
import { MetricsServer } from './metrics/server.ts';
import { SignMeter } from './metrics/sign-meter.ts';
import { NodeConnection } from './node-connection.ts';
import { rpcNodeView } from './node-view.ts';
import { RecordClient } from './record-client.ts';
import { Refusal } from './refusal.ts';
import { connectionKey } from './secret-connection/node-identity.ts';

/** How often a signer that is not enrolled looks whether it is. */
const lookForEnrolmentMs = 1000;

export interface SignerProcessParts {
  home: SignerHome;
  key: SigningKey;
  log: Log;
  version: string;
  /** The state could not be written: the process must end. */
  onFatal: (error: unknown) => void;
}

export class SignerProcess {
  readonly #parts: SignerProcessParts;
  readonly #watch = new NodeWatch();
  /** Undefined where nobody asks for metrics. */
  readonly #meter: SignMeter | undefined;
  readonly #file: DiskStateFile;
  readonly #journal: DiskJournal;
  #guard: Guard;
  #stopped = false;
  #lookAgain: NodeJS.Timeout | undefined;
  #service: SigningService | undefined;
  #control: ControlServer | undefined;
  #connection: NodeConnection | undefined;
  #table: DynamoTable | undefined;
  #unlock: (() => void) | undefined;
  #metrics: MetricsServer | undefined;

  constructor(parts: SignerProcessParts) {
    this.#parts = parts;
    this.#file = new DiskStateFile(parts.home.stateDir);
    this.#journal = new DiskJournal(parts.home.stateDir);
    this.#guard = closed(notEnrolled(), undefined);
    this.#meter = parts.home.metrics && new SignMeter();
  }

  /** @throws StateInUseError */
  async start(): Promise<void> {
    const { home, key, log } = this.#parts;
    this.#unlock = await lockState(home.stateDir);
    this.#guard = this.#guardFor(await this.#file.load());
    const service = new SigningService({
      publicKey: key.publicKey,
      chainId: home.chainId,
      guard: () => this.#guard,
      watch: this.#watch,
      clock: systemClock,
      log,
      meter: this.#meter,
    });
    this.#service = service;
    // Ahead of the node: a second signer of one home ends here, before it takes the first one's node.
    const control = new ControlServer(home.controlSocket, {
      status: () => this.status(),
      look: () => this.#guard.look(),
      standBy: () => this.#guard.standBy(),
      committed: (height) => {
        this.#watch.committed(height, systemClock.now());
        this.#guard.committed(height, 'pilot');
      },
    });
    await control.start();
    this.#control = control;
    // The node waits 3 s for its signer at its start: it gets the key before anything else.
    this.#connection = new NodeConnection({
      node: home.node,
      key: home.node.kind === 'tcp' ? connectionKey(home.node.connectionKeyFile) : undefined,
      log,
      answer: (request) => service.answer(request),
      meter: this.#meter && { clock: systemClock, meter: this.#meter },
      onChange: (connected) => {
        this.#watch.connection(connected);
        this.#guard.connectionChanged();
        this.#control?.push();
      },
    });
    this.#connection.start();
    await this.#serveMetrics();
    await this.#startGuard();
  }

  async #serveMetrics(): Promise<void> {
    const { home, log } = this.#parts;
    const meter = this.#meter;
    if (!home.metrics || !meter) return;
    this.#metrics = new MetricsServer({
      ...home.metrics,
      metrics: () => exposition(this.status(), meter),
      log,
    });
    await this.#metrics.start();
  }

  async #startGuard(): Promise<void> {
    const { home, log } = this.#parts;
    await this.#guard.start();
    const { state, reason } = this.#guard.status();
    log.info({ state, reason, thing: home.thing, chainId: home.chainId }, 'the signer runs');
    this.#control?.push();
    if (state === 'unenrolled') this.#awaitEnrolment();
  }

  /** Enrolment wants the folder for itself, and a node that runs, for which this process answers meanwhile. */
  #awaitEnrolment(): void {
    this.#unlock?.();
    this.#unlock = undefined;
    if (!this.#stopped) this.#lookAgain = setTimeout(() => void this.#takeUpEnrolment(), lookForEnrolmentMs);
  }

  async #takeUpEnrolment(): Promise<void> {
    const { home, log } = this.#parts;
    try {
      this.#unlock = await lockState(home.stateDir);
      const reading = await this.#file.load();
      const enrolled =
        reading.kind !== 'none' && !(reading.kind === 'state' && reading.state.enrolment !== 'done');
      if (this.#stopped || !enrolled) return this.#awaitEnrolment();
      this.#guard = this.#guardFor(reading);
      await this.#startGuard();
    } catch (error) {
      if (!(error instanceof StateInUseError))
        log.error({ err: error }, 'the enrolment could not be taken up');
      this.#awaitEnrolment();
    }
  }

  /** What is under way is finished first, so that its answer still goes out. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#lookAgain);
    await this.#guard.stop();
    await new Promise((resolve) => setImmediate(resolve));
    this.#connection?.stop();
    this.#control?.stop();
    this.#metrics?.stop();
    this.#table?.close();
    await Promise.all([this.#journal.close(), this.#file.close()]);
    this.#unlock?.();
  }

  status(): SignerStatus {
    const { version, home } = this.#parts;
    if (!this.#service) throw new Error('the signer was not started');
    const { askedMs, blockMs, connected } = this.#watch;
    return {
      type: 'status',
      ...this.#service.counts(),
      ...this.#guard.status(),
      ...(home.roleAlias?.trouble === undefined ? {} : { warning: home.roleAlias.trouble.slice(0, 300) }),
      nodeConnected: connected,
      ...(askedMs === undefined ? {} : { sinceRequestMs: Math.round(systemClock.now() - askedMs) }),
      ...(blockMs === undefined ? {} : { blockSeconds: blockMs / 1000 }),
      pid: process.pid,
      version,
    };
  }

  #guardFor(reading: StateReading): Guard {
    const { home, key, log, onFatal } = this.#parts;
    const refusal = refusalOf(reading, home, key);
    if (reading.kind !== 'state' || refusal) {
      const state = reading.kind === 'state' ? reading.state : undefined;
      if (refusal && refusal.code !== 'not-enrolled') log.error({ code: refusal.code }, refusal.message);
      return closed(refusal ?? notEnrolled(), state);
    }
    const { state } = reading;
    const address = consensusAddress(key.publicKey);
    const parts = {
      keeper: new StateKeeper(this.#file, state, onFatal),
      clock: systemClock,
      watch: this.#watch,
      node: rpcNodeView(home.rpc, home.chainId, address),
      releaser: new Releaser({
        key,
        journal: this.#journal,
        clock: systemClock,
        thing: home.thing,
        meter: this.#meter,
      }),
      meter: this.#meter,
      log,
      onChange: () => this.#control?.push(),
    };
    if (state.guard === 'local') return new LocalSigner(parts);
    if (!home.dynamo) return closed(notEnrolled(), state);
    this.#table = dynamoTable(home.dynamo);
    const store = new RecordClient(this.#table, home.table, systemClock.sleep);
    return new RecordSigner({ ...parts, store, random: systemRandom });
  }
}

function closed(refusal: Refusal, state: SignerState | undefined): Guard {
  const { height, round, step } = state?.own ?? nothingHeld;
  return new ClosedGuard(refusal, {
    guard: state?.guard ?? 'none',
    epoch: state?.epochSeen ?? 0,
    height: state?.seen.height ?? 0,
    released: { height, round, step },
  });
}

function notEnrolled(): Refusal {
  return new Refusal(
    'not-enrolled',
    'this signer is not enrolled, so it signs nothing; run beam signer enrol for a new validator, or beam signer join on a further server of one',
  );
}

/** What an enrolment pins of a home. */
export type PinnedSettings = Pick<SignerHome, 'chainId' | 'thing' | 'table' | 'dynamo'>;

/** Why nothing may be signed with what was found on disk; undefined: it may. */
export function refusalOf(
  reading: StateReading,
  home: PinnedSettings,
  key: Pick<SigningKey, 'publicKey'>,
  machine = machineDigest(),
): Refusal | undefined {
  switch (reading.kind) {
    case 'none':
      return notEnrolled();
    case 'lost':
      return new Refusal('state-lost', reading.reason);
    case 'unreadable':
      return new Refusal('state-unreadable', reading.reason);
    case 'state':
      return pinRefusal(reading.state, home, key, machine);
  }
}

/** Missing or other configuration never changes the guard: whatever differs from the enrolment is refused. */
function pinRefusal(
  state: SignerState,
  home: PinnedSettings,
  key: Pick<SigningKey, 'publicKey'>,
  machine: string,
): Refusal | undefined {
  if (state.enrolment !== 'done') {
    return new Refusal(
      'not-enrolled',
      'the enrolment was begun and not finished; run beam signer enrol again',
    );
  }
  if (state.machine !== machine) {
    return new Refusal(
      'other-machine',
      'this signer state was made on another machine: it is a copy, and the other one may still sign; if this machine is to sign, move the state away here and run beam signer join',
    );
  }
  const differences = [
    ...differs('the consensus key', state.publicKey, Buffer.from(key.publicKey).toString('base64')),
    ...differs('[signer] chain_id', state.chainId, home.chainId),
    ...differs("this server's thing name (node.toml)", state.thing, home.thing),
    ...(state.guard === 'record' ? differs('[signer] table', state.record?.table, home.table) : []),
    ...(state.guard === 'record' && !home.dynamo
      ? ['the sign record guards this key, and config.toml has no [cloud]']
      : []),
  ];
  if (differences.length === 0) return undefined;
  return new Refusal(
    'other-enrolment',
    `the configuration is not the one that was enrolled: ${differences.join('; ')}; put it back, or move the signer state away and enrol or join again`,
  );
}

function differs(what: string, enrolled: string | undefined, found: string): string[] {
  return enrolled === found ? [] : [`${what} is ${found}, enrolled was ${enrolled}`];
}
