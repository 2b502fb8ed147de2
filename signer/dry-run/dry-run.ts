/**
 * The dry-run signer (docs/decisions/dry-run-from-the-chain.md): judges each signature of the present signer with the production
 * guard, record and disk, and compares with the chain. It has no key, no socket to the node, and a record of its own.
 */

import { ConfigError } from '../../protocol/config.ts';
import type { SignerStatus } from '../../protocol/signer-control.ts';
import { systemClock, systemRandom } from '../clock.ts';
import { ControlServer } from '../control.ts';
import { checkIdentity } from '../core/checks.ts';
import type { Guard } from '../core/guard.ts';
import { LocalSigner } from '../core/local-signer.ts';
import { Mutex } from '../core/mutex.ts';
import { NodeWatch } from '../core/node-watch.ts';
import type { Log } from '../core/ports.ts';
import { RecordSigner } from '../core/record-signer.ts';
import { Releaser } from '../core/release.ts';
import type { SignRequest } from '../core/request.ts';
import { answerMsMax, consensusAddress } from '../core/service.ts';
import { nothingHeld } from '../core/state.ts';
import { StateKeeper } from '../core/state-keeper.ts';
import { DiskJournal } from '../disk/journal.ts';
import { DiskStateFile } from '../disk/state-file.ts';
import { lockState } from '../disk/state-lock.ts';
import { type DynamoTable, dynamoTable } from '../dynamodb.ts';
import type { SignerHome } from '../home.ts';
import { rpcNodeView, rpcValidator } from '../node-view.ts';
import { RecordClient } from '../record-client.ts';
import { Refusal } from '../refusal.ts';
import { Comparison } from './comparison.ts';
import { withSample } from './histogram.ts';
import { KeptReport } from './kept-report.ts';
import { NodeEvents } from './node-events.ts';
import { type Commit, type Observed, proposalSeen } from './observed.ts';
import { dryRunRecordKey, openState } from './record.ts';
import { type DryRunReport, withCommit, withJudged, withParticular } from './report.ts';
import { type ChainNow, StandbyEye } from './standby-eye.ts';
import { throwawayKey } from './throwaway-key.ts';
import { timedStore } from './timed-store.ts';

const saveEveryMs = 3_000;
const lookEveryMs = 2_000;
const startEveryMs = 1_000;
/** Signatures that wait to be judged: more than a validator makes in several rounds. */
const waitingMax = 32;
const journalBytesMax = 1024 * 1024;

export interface DryRunParts {
  home: SignerHome;
  log: Log;
  version: string;
  /** The state could not be written: the process must end. */
  onFatal: (error: unknown) => void;
}

export class DryRun {
  readonly #parts: DryRunParts;
  readonly #watch = new NodeWatch();
  readonly #comparison = new Comparison();
  readonly #events: NodeEvents;
  readonly #judging = new Mutex();
  readonly #journal: DiskJournal;
  readonly #file: DiskStateFile;
  readonly #key = throwawayKey();
  readonly #stopping = new AbortController();
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #kept: KeptReport;
  #guard: Guard | undefined;
  #eye: StandbyEye | undefined;
  #control: ControlServer | undefined;
  #table: DynamoTable | undefined;
  #unlock: (() => void) | undefined;
  #trouble: string | undefined = 'the node was not heard yet';
  #active = false;
  #waiting = 0;
  #catchingUp = true;
  #committedAtMs: number | undefined;
  #proposer: { height: number; round: number; address: string } | undefined;
  #starting: Promise<void> = Promise.resolve();

  /** @throws ConfigError where the report that is kept can't be gone on with */
  constructor(parts: DryRunParts) {
    this.#parts = parts;
    const { home } = parts;
    this.#journal = new DiskJournal(home.dryRunDir, journalBytesMax);
    this.#file = new DiskStateFile(home.dryRunDir);
    this.#kept = new KeptReport(home, systemClock);
    this.#events = new NodeEvents(home.rpc, {
      onOpen: () => this.#connected(true),
      onClosed: () => this.#connected(false),
      onEvent: (observed) => this.#observe(observed),
    });
  }

  /** @throws StateInUseError, ConfigError */
  async start(): Promise<void> {
    const { home, log } = this.#parts;
    this.#unlock = await lockState(home.dryRunDir);
    const control = new ControlServer(home.controlSocket, {
      status: () => this.status(),
      look: () => this.#guard?.look(),
      standBy: () => {},
      committed: (height) => this.#watch.committed(height, systemClock.now()),
    });
    await control.start();
    this.#control = control;
    this.#change((report) => ({ ...report, starts: report.starts + 1 }));
    this.#timers.push(setInterval(() => void this.#save(), saveEveryMs));
    this.#timers.push(setInterval(() => void this.#lookAtNode(), lookEveryMs));
    log.info(
      { thing: home.thing, chainId: home.chainId },
      'a dry-run: without a key, and nothing leaves it; see beam signer dry-run --report',
    );
    this.#starting = this.#begin();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    for (const timer of this.#timers) clearInterval(timer);
    this.#events.stop();
    await this.#starting;
    await this.#judging.run(async () => {});
    await this.#eye?.stop();
    await this.#guard?.stop();
    await this.#save();
    this.#control?.stop();
    this.#table?.close();
    await Promise.all([this.#journal.close(), this.#file.close()]);
    this.#unlock?.();
  }

  get report(): DryRunReport {
    return this.#kept.current;
  }

  status(): SignerStatus {
    const { home, version } = this.#parts;
    const { address, commits, wouldSign, wouldRefuse } = this.report;
    const { height, round, step } = nothingHeld;
    const sum = (counts: Record<string, number>) => Object.values(counts).reduce((all, one) => all + one, 0);
    const { blockMs, connected } = this.#watch;
    return {
      type: 'status',
      state: 'dry-run',
      address,
      chainId: home.chainId,
      guard: 'none',
      epoch: 0,
      height: this.#watch.height,
      reason: this.#trouble?.slice(0, 300) ?? `${commits.compared} commits compared`,
      released: { height, round, step },
      nodeConnected: connected,
      ...(blockMs === undefined ? {} : { blockSeconds: blockMs / 1000 }),
      signed: sum(wouldSign),
      refused: sum(wouldRefuse),
      pid: process.pid,
      version,
    };
  }

  /** Tries until there is a node and a table to begin with. */
  async #begin(): Promise<void> {
    const { signal } = this.#stopping;
    const { log, onFatal } = this.#parts;
    while (!signal.aborted) {
      try {
        await this.#lookAtNode();
        await this.#openGuard();
        this.#events.start();
        return;
      } catch (error) {
        if (error instanceof ConfigError) return onFatal(error);
        const text = (error as Error).message;
        if (text !== this.#trouble) log.warn({}, text);
        this.#trouble = text;
      }
      await systemClock.sleep(startEveryMs, signal);
    }
  }

  async #openGuard(): Promise<void> {
    const { home, log, onFatal } = this.#parts;
    // This key's address is in no validator set: the present signer is not taken for a foreign one.
    const node = rpcNodeView(home.rpc, home.chainId, consensusAddress(this.#key.publicKey));
    const committed = await node.committedHeight();
    if (committed === undefined)
      throw new Error(
        `the node at ${home.rpc} does not answer for chain ${home.chainId}, or still catches up`,
      );
    const recordKey = dryRunRecordKey(home.chainId, home.thing);
    this.#table ??= home.dynamo && dynamoTable(home.dynamo);
    const table = this.#table && new RecordClient(this.#table, home.table, systemClock.sleep);
    const file = this.#file;
    const state = await openState(home, file, table, systemRandom, committed);
    const thing = `${home.thing} (dry-run)`;
    const parts = {
      keeper: new StateKeeper(file, state, onFatal),
      clock: systemClock,
      watch: this.#watch,
      node,
      releaser: new Releaser({ key: this.#key, journal: this.#journal, clock: systemClock, thing }),
      log,
      onChange: () => {},
    };
    if (table && state.record) {
      const store = timedStore(table, recordKey, systemClock, (ms) => {
        if (this.#active)
          this.#change(({ recordWriteMs, ...rest }) => ({
            ...rest,
            recordWriteMs: [...withSample(recordWriteMs, ms)],
          }));
      });
      this.#guard = new RecordSigner({ ...parts, store, random: systemRandom });
      this.#eye = new StandbyEye({
        store: table,
        record: state.record,
        clock: systemClock,
        chain: () => this.#chainNow(),
        onAsk: (reason) => this.#asks(reason),
      });
    } else this.#guard = new LocalSigner(parts);
    await this.#guard.start();
    this.#eye?.start();
  }

  #change(to: (report: DryRunReport) => DryRunReport): void {
    this.#kept.change(to);
  }

  #connected(connected: boolean): void {
    this.#watch.connection(connected);
    this.#comparison.gap();
    this.#guard?.connectionChanged();
    this.#control?.push();
  }

  /** Whose signatures count: those of the key that the node itself votes with. */
  async #lookAtNode(): Promise<void> {
    const { home } = this.#parts;
    const found = await rpcValidator(home.rpc, home.chainId);
    if (!found) return;
    this.#catchingUp = found.catchingUp;
    if (found.votingPower <= 0) {
      this.#trouble = `the node at ${home.rpc} votes with no key of a validator: nothing to compare with`;
    } else if (found.address !== this.report.address) {
      this.#change((report) => ({ ...report, address: found.address }));
    }
  }

  #observe(observed: Observed): void {
    const nowMs = systemClock.now();
    const { home } = this.#parts;
    switch (observed.kind) {
      case 'round':
        this.#proposer = { height: observed.height, round: observed.round, address: observed.proposer };
        if (this.#ready()) this.#comparison.round(observed.height, observed.round);
        return;
      case 'vote':
        if (observed.address === this.report.address) this.#seen(observed.request(home.chainId));
        return;
      case 'proposal': {
        const { height, round, address } = this.#proposer ?? { height: 0, round: 0, address: '' };
        const ours =
          address === this.report.address && height === observed.height && round === observed.round;
        const request = ours ? proposalSeen(home.chainId, observed, systemClock.wall()) : undefined;
        if (request) this.#seen(request);
        return;
      }
      case 'block':
        this.#committedAtMs = nowMs;
        this.#watch.committed(observed.height, nowMs);
        this.#guard?.committed(observed.height, 'pilot');
        if (observed.lastCommit && observed.chainId === home.chainId) this.#commit(observed.lastCommit);
    }
  }

  /** The guard holds its record: from here on it is held to what it says. */
  #ready(): boolean {
    const state = this.#guard?.status().state;
    if (!this.#active && (state === 'active' || state === 'local') && this.report.address !== '') {
      this.#active = true;
      this.#trouble = undefined;
    }
    return this.#active;
  }

  #seen(request: SignRequest): void {
    this.#watch.asked(systemClock.now());
    if (!this.#ready()) return;
    if (this.#waiting >= waitingMax) {
      this.#change((report) => ({ ...report, unjudged: report.unjudged + 1 }));
      return;
    }
    this.#waiting += 1;
    void this.#judging.run(async () => {
      await this.#judge(request);
      this.#waiting -= 1;
    });
  }

  /** As `SigningService` does for a node, with the signature dropped where it comes out. */
  async #judge(request: SignRequest): Promise<void> {
    const { home } = this.#parts;
    const guard = this.#guard;
    if (!guard) return;
    const { kind, blockId, position } = request;
    const beganMs = systemClock.now();
    const timeUp = new AbortController();
    let refusal: { code: string; text: string } | undefined;
    try {
      checkIdentity(request, home.chainId, this.report.address);
      guard.committed(position.height - 1, 'request');
      await Promise.race([
        guard.sign(request, beganMs + answerMsMax),
        systemClock.sleep(answerMsMax, timeUp.signal).then((): never => {
          throw new Refusal('too-late', 'no certainty within the time of this request', { asked: position });
        }),
      ]);
    } catch (error) {
      refusal =
        error instanceof Refusal
          ? { code: error.code, text: error.message }
          : { code: 'failed', text: String(error) };
    } finally {
      timeUp.abort();
    }
    const { height, round } = position;
    const judged = { height, round, kind, blockId, refusal };
    this.#comparison.judged(judged);
    const ms = systemClock.now() - beganMs;
    this.#change((report) => withJudged(report, judged, ms, this.#kept.nowText()));
    if (refusal)
      this.#parts.log.warn(
        { ...refusal, height, round, kind },
        'would have refused what the present signer signed',
      );
  }

  /** In turn with the judgements, so that those of its height are known. */
  #commit(commit: Commit): void {
    void this.#judging.run(async () => {
      const compared = this.#comparison.commit(commit, this.report.address);
      if (!compared) return;
      const { needless } = compared;
      this.#change((report) => withCommit(report, commit, compared, this.#kept.nowText()));
      if (needless > 0) {
        this.#change(({ asks, ...rest }) => ({
          ...rest,
          asks: { ...asks, needless: asks.needless + needless },
        }));
      }
      this.#control?.push();
    });
  }

  #asks(reason: Parameters<ConstructorParameters<typeof StandbyEye>[0]['onAsk']>[0]): void {
    if (!this.#active || this.#stopping.signal.aborted) return;
    const { height } = this.#watch;
    this.#comparison.asked(height);
    this.#change(({ asks, ...rest }) => ({ ...rest, asks: { ...asks, [reason]: asks[reason] + 1 } }));
    const what = 'would-ask-for-role' as const;
    this.#change((report) =>
      withParticular(report, {
        at: this.#kept.nowText(),
        height,
        round: 0,
        kind: 'beat',
        what,
        detail: reason,
      }),
    );
    this.#parts.log.warn({ reason, height }, 'a standby would have asked for the role');
  }

  #chainNow(): ChainNow {
    const { blockMs } = this.#watch;
    return {
      sinceCommitMs: this.#committedAtMs === undefined ? undefined : systemClock.now() - this.#committedAtMs,
      blockMs,
      catchingUp: this.#catchingUp,
      missedInRow: this.#comparison.missedInRow,
    };
  }

  async #save(): Promise<void> {
    await this.#kept
      .save(this.#watch.blockMs)
      .catch((error) => this.#parts.log.warn({ err: error }, 'the report could not be written'));
  }
}
