/** The pilot of one server: puts the parts together. What each decides is in its own core. */

import { rm } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import { homePaths } from '../protocol/config.ts';
import { overlayHash } from '../protocol/overlay-hash.ts';
import type { ReportedGaiad, ShadowName } from '../protocol/shadows.ts';
import { stageFeatures, whatIsOff } from '../protocol/stages.ts';
import { Teller } from './alerts/teller.ts';
import { blockSeconds, missedInRow } from './chain/chain-view.ts';
import { ChainWatch } from './chain/chain-watch.ts';
import { loadCounts, saveCounts } from './chain/kept-counts.ts';
import { type Clock, systemClock } from './clock.ts';
import { Cloud, type MakeLink } from './cloud/cloud.ts';
import type { CloudCredentials } from './cloud/credentials.ts';
import { MessageMaker } from './cloud/messages.ts';
import type { Section } from './cloud/shadow-document.ts';
import { readDesiredGaiad } from './gaiad/desired-gaiad.ts';
import { followSigner, noAbsence, type SignerAbsence } from './gaiad/node-faults.ts';
import { type Gaiad, openGaiad, tellRejected } from './gaiad/open-gaiad.ts';
import { NodeRpc } from './gaiad/rpc.ts';
import { type SupervisorInputs, supervisorInputs } from './gaiad/supervisor-inputs.ts';
import type { WatchedGaiadInputs } from './gaiad/watched-gaiad.ts';
import { Reporter } from './health/reporter.ts';
import type { Seen } from './health/reports.ts';
import { writeFileAtomically } from './home/atomic-file.ts';
import { makeFolders } from './home/folders.ts';
import type { Home } from './home/load-home.ts';
import { beamVersion } from './home/version.ts';
import type { Logger } from './log.ts';
import { signerAddress } from './overlay/pilots-settings.ts';
import { desiredOverlay, type OverlayInput } from './overlay/plan-overlay.ts';
import type { RoleInput } from './role/plan-role.ts';
import { RoleKeeper } from './role/role-keeper.ts';
import { SignerLink } from './role/signer-link.ts';
import { signerTroubles } from './role/signer-troubles.ts';
import { type PilotStatus, statusOf } from './status/pilot-status.ts';
import { StatusServer } from './status/status-server.ts';

const tickMs = 250;
const settingsTick = 40;
/** Disconnected for this long is worth an alert, which is told on return. */
const offlineAlertMs = 60_000;
const countsPeriodTicks = 40;
const sleptMsMin = 2_000;

export class Pilot {
  readonly #home: Home;
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #messages: MessageMaker;
  readonly #teller: Teller;
  readonly #cloud: Cloud | undefined;
  readonly #role: RoleKeeper;
  readonly #rpc: NodeRpc;
  readonly #chain: ChainWatch;
  readonly #gaiad: Gaiad;
  readonly #reporter: Reporter | undefined;
  readonly #statusServer: StatusServer;
  #startedAtMs = 0;
  #desiredGaiad: ReturnType<typeof readDesiredGaiad> | undefined;
  #desiredAtMs = 0;
  #gaiadReported: ReportedGaiad | undefined;
  #absence: SignerAbsence = noAbsence;
  #timer: NodeJS.Timeout | undefined;
  #ticks = 0;
  #tickedAtMs = 0;

  /** @param makeLink undefined: stand-alone, without a cloud. */
  constructor(home: Home, makeLink: MakeLink | undefined, log: Logger, clock: Clock = systemClock) {
    this.#home = home;
    this.#log = log;
    this.#clock = clock;
    const { config, node, thing } = home;
    this.#messages = new MessageMaker(node.fleet, thing, clock);
    this.#teller = new Teller({ messages: this.#messages, clock, log, cloud: () => this.#cloud });
    this.#cloud =
      makeLink &&
      new Cloud(home, makeLink, clock, log.child({ part: 'cloud' }), {
        onDesired: (shadow, desired) => this.#desired(shadow, desired),
        onComplaint: (shadow, code, message) =>
          log.error({ shadow, code, message }, 'the cloud refused a report of this server'),
        onConnected: () => this.#reporter?.sendHealth(),
        onDisconnected: () => {},
      });
    const roleLog = log.child({ part: 'role' });
    const control = this.#features.hasSigner && config.signer && home.path(config.signer.control);
    this.#role = new RoleKeeper({
      thing,
      kind: node.kind,
      mode: config.mode,
      clock,
      log: roleLog,
      openSigner: control ? (events) => new SignerLink(control, clock, roleLog, events) : undefined,
      messages: this.#messages,
      cloud: () => this.#cloud,
      chain: () => this.#chainForRole(),
      onChange: () => {
        this.#reporter?.sendHealth();
        this.#gaiad.poke();
      },
    });
    this.#rpc = new NodeRpc(config.gaiad.rpc);
    this.#chain = new ChainWatch(
      {
        rpcUrl: config.gaiad.rpc,
        rpc: this.#rpc,
        clock,
        log: log.child({ part: 'chain' }),
        address: () => this.#countedAddress(),
      },
      {
        onCommit: (height) => this.#role.committed(height),
        onChange: () => this.#role.plan(),
      },
    );
    this.#gaiad = openGaiad({
      home,
      clock,
      log: log.child({ part: 'gaiad' }),
      teller: this.#teller,
      inputs: () => this.#supervisorInputs(),
      watched: () => this.#watchedInputs(),
      onProcess: (started) => {
        this.#chain.nodeStarted();
        if (started) this.#absence = noAbsence;
      },
      onChange: () => this.#reportGaiad(),
    });
    this.#reporter =
      this.#cloud &&
      new Reporter({
        home,
        clock,
        log,
        messages: this.#messages,
        cloud: this.#cloud,
        seen: () => this.#seen(),
        ready: () => this.#role.known,
        outsidePeers: () => this.#gaiad.outsidePeers(),
      });
    this.#statusServer = new StatusServer(
      config.status.port,
      { trouble: () => this.#worstTrouble(), status: () => this.#status() },
      log.child({ part: 'status' }),
    );
  }

  async start(): Promise<void> {
    const { config, thing } = this.#home;
    this.#startedAtMs = this.#clock.monotonicMs();
    await makeFolders(this.#home);
    this.#log.info({ version: beamVersion, pid: process.pid, home: this.#home.root }, `pilot of ${thing}`);
    this.#sayWhatIsOff();
    this.#sayWhoseSigner();
    await this.#cloud?.start();
    this.#teller.event('started', `The pilot was started (Beam ${beamVersion}, Node ${process.version})`);
    this.#role.start();
    const counts = config.signer && (await loadCounts(this.#countsFile));
    this.#chain.start(counts?.chainId === config.signer?.chain_id ? counts : undefined);
    await this.#gaiad.start();
    await this.#reporter?.start();
    const address = await this.#statusServer.start();
    const status = { pid: process.pid, ...(address ? { address } : {}) };
    await writeFileAtomically(this.#home.path(homePaths.statusFile), `${JSON.stringify(status)}\n`, 0o644);
    if (address) this.#log.info({ address }, 'status agent');
    this.#tickedAtMs = this.#clock.monotonicMs();
    this.#timer = setInterval(() => this.#tick(), tickMs);
  }

  /** Rejects where the new certificate does not work: then all is as before. */
  async replaceCredentials(credentials: CloudCredentials): Promise<void> {
    await this.#cloud?.replaceCredentials(credentials);
  }

  /** Orderly: gaiad and the signer go on. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#reporter?.stop();
    await this.#gaiad.stop();
    this.#chain.stop();
    this.#role.stop();
    this.#rpc.close();
    await this.#keepCounts();
    await this.#cloud?.stop();
    await this.#statusServer.stop();
    await rm(this.#home.path(homePaths.statusFile), { force: true });
  }

  #sayWhoseSigner(): void {
    const { signer } = this.#home.config;
    if (signer?.node === undefined || signerAddress(signer.node, signer.socket) !== undefined) return;
    this.#log.warn(
      { node: signer.node },
      "the signer here serves a node on another host ([signer] node), so this server's gaiad keeps the priv_validator_laddr that it has",
    );
  }

  #sayWhatIsOff(): void {
    const { mode } = this.#home.config;
    const off = whatIsOff(mode);
    if (off) this.#log.warn({ mode }, `mode "${mode}". ${off}`);
    if (this.#cloud) return;
    this.#log.warn(
      'stand-alone: config.toml has no [cloud]. Off: roles and failover by Commander, configuration by shadow, health and alerts to the fleet. On: gaiad, its signer, the status agent',
    );
  }

  #tick(): void {
    const nowMs = this.#clock.monotonicMs();
    const sleptMs = nowMs - this.#tickedAtMs;
    this.#tickedAtMs = nowMs;
    // It was frozen, or the machine slept: what it last heard is old, and what came meanwhile is read only now.
    if (sleptMs >= sleptMsMin) return;
    this.#ticks += 1;
    const { signer } = this.#role;
    if (signer && this.#features.signs) this.#absence = followSigner(this.#absence, signer, nowMs);
    this.#role.plan();
    this.#reporter?.reportStatus();
    this.#checkTroubles();
    if (this.#ticks % countsPeriodTicks === 0) void this.#keepCounts();
    if (this.#ticks === settingsTick) void this.#warnOfSettings();
  }

  #desired(shadow: ShadowName, desired: Section | undefined): void {
    if (shadow === 'role') this.#role.take(desired);
    if (shadow !== 'gaiad') return;
    const before = this.#desiredGaiad?.rejected ?? [];
    this.#desiredGaiad = readDesiredGaiad(desired);
    const { rejected } = this.#desiredGaiad;
    if (rejected.length > 0 && !isDeepStrictEqual(rejected, before)) tellRejected(this.#teller, rejected);
    if (this.#desiredAtMs === 0) this.#desiredAtMs = this.#clock.monotonicMs();
    this.#gaiad.poke();
    this.#reportGaiad();
  }

  #chainForRole(): RoleInput['chain'] {
    const { view, node } = this.#chain;
    const seconds = blockSeconds(view);
    return {
      sinceCommitMs:
        view.committedAtMs === undefined ? undefined : this.#clock.monotonicMs() - view.committedAtMs,
      blockSeconds: seconds,
      catchingUp: node.status?.sync_info.catching_up,
      missedInRow: missedInRow(view),
      countedTo: view.countedTo,
      height: view.height,
      commits: view.commits,
      lastSignedHeight: view.lastSignedHeight,
    };
  }

  get #features() {
    return stageFeatures[this.#home.config.mode];
  }

  /** Whose signatures are counted: our signer's; where Beam does not sign, those of the key that the node has. */
  #countedAddress(): string | undefined {
    const { config, node } = this.#home;
    if (this.#features.signs) return config.signer ? this.#role.signer?.status?.address : 'none';
    const info = this.#chain.node.status?.validator_info;
    if (node.kind === 'sentry' || (info && info.voting_power <= 0)) return 'none';
    return info?.address.toUpperCase();
  }

  #supervisorInputs(): SupervisorInputs {
    const nowMs = this.#clock.monotonicMs();
    return supervisorInputs({
      kind: this.#home.node.kind,
      desired: this.#wantedOverlay(nowMs),
      run: this.#desiredGaiad?.run,
      // Where Beam does not sign, gaiad needs no signer of ours.
      signer: this.#features.signs ? this.#role.signer : undefined,
      absence: this.#absence,
      chain: this.#chain.view,
      node: this.#chain.node,
      nowMs,
    });
  }

  #watchedInputs(): WatchedGaiadInputs {
    const nowMs = this.#clock.monotonicMs();
    const run = this.#desiredGaiad?.run;
    return { desired: this.#wantedOverlay(nowMs), run, node: this.#chain.node, nowMs };
  }

  #wantedOverlay(nowMs: number): OverlayInput['desired'] {
    if (!this.#cloud) return { known: 'alone' };
    if (!this.#desiredGaiad) return { known: false, forMs: nowMs - this.#startedAtMs };
    return desiredOverlay(this.#desiredGaiad.config, overlayHash, nowMs - this.#desiredAtMs);
  }

  /** What is malformed never comes as far as the overlay's own check. */
  #gaiadNow(): ReportedGaiad {
    const { reported } = this.#gaiad;
    const malformed = this.#desiredGaiad?.rejected ?? [];
    return malformed.length > 0 ? { ...reported, rejected: malformed } : reported;
  }

  #reportGaiad(): void {
    const now = this.#gaiadNow();
    if (isDeepStrictEqual(now, this.#gaiadReported)) return;
    this.#gaiadReported = now;
    this.#cloud?.report('gaiad', now);
    this.#reporter?.sendHealth();
  }

  #checkTroubles(): void {
    const { signer } = this.#role;
    const troubles = [
      ...this.#gaiad.troubles(),
      ...signerTroubles(signer, this.#chain.node.status?.node_info.network, this.#features.signs),
    ];
    const offlineMs = this.#cloud?.offlineMs ?? 0;
    if (offlineMs >= offlineAlertMs) {
      const why = this.#cloud?.offlineReason;
      const text = `This server can't reach the cloud; signing goes on while DynamoDB is in reach. ${why ?? ''}`;
      troubles.push({ kind: 'offline', severity: 'warning', text });
    }
    this.#teller.look(troubles);
  }

  /** Some time after the start: the file's settings are no news that can't wait. */
  async #warnOfSettings(): Promise<void> {
    if (this.#home.node.kind !== 'validator') return;
    const adaptive = await this.#gaiad.setting('blocksync', 'adaptive_sync').catch(() => undefined);
    if (adaptive !== true) return;
    this.#teller.alert(
      'config-rejected',
      'warning',
      "blocksync.adaptive_sync is on in this validator's config.toml: it can sign past checks of double signs (cometbft#5953). Set it to false.",
    );
  }

  get #countsFile(): string {
    return `${this.#home.path(homePaths.state)}/signing.json`;
  }

  async #keepCounts(): Promise<void> {
    const { config } = this.#home;
    if (!config.signer || this.#chain.view.countedTo === 0) return;
    await saveCounts(this.#countsFile, config.signer.chain_id, this.#chain.view).catch((error) =>
      this.#log.warn({ reason: String(error) }, 'the counts of signatures were not kept'),
    );
  }

  #seen(): Omit<Seen, 'load'> {
    const { signer } = this.#role;
    return {
      home: this.#home,
      role: this.#role.reported,
      gaiad: this.#gaiadNow(),
      chain: this.#chain.view,
      node: this.#chain.node,
      signer: signer && { up: signer.up, status: signer.status },
      monotonicMs: this.#clock.monotonicMs(),
    };
  }

  #worstTrouble(): string | undefined {
    const critical = this.#teller.troubles.find(({ severity }) => severity === 'critical');
    if (critical) return critical.text;
    const { state } = this.#gaiad.reported;
    return state === 'running' || state === 'stopped' ? undefined : `gaiad is ${state}`;
  }

  #status(): PilotStatus {
    const cloud = this.#cloud && {
      connected: this.#cloud.connected,
      queued: this.#cloud.queued,
      reason: this.#cloud.offlineReason ?? null,
    };
    return statusOf({
      seen: this.#seen(),
      cloud: cloud ?? 'none: stand-alone',
      desiredRole: this.#role.desired,
      gaiadPid: this.#gaiad.pid,
      waitsFor: this.#gaiad.waitsFor,
      troubles: this.#teller.troubles,
    });
  }
}
