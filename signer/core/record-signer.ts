/**
 * The guard over the sign record: who this server is to it (standby, claiming, active, fenced, refusing), and the loop
 * that reads it with the beat. What it does to the record goes one at a time; every reading is judged by
 * `RecordView`. Roles here only ever withhold: a role that is wrong signs nothing, as each write names its holder.
 */

import { comparePositions } from '../../protocol/sign-position.ts';
import { claim, type Holding, renewIncarnation, type SignRecord } from '../../protocol/sign-record.ts';
import { beatPeriodMs } from '../../protocol/signer-control.ts';
import { Refusal } from '../refusal.ts';
import { holdingIn, isGranted, type Standing, standing } from './assess.ts';
import { BeatRaiser } from './beat-raiser.ts';
import { BeatReader } from './beat-reader.ts';
import { checkLeap, checkOrder, leaps } from './checks.ts';
import { claimInMs, pollMs } from './claim-timing.ts';
import { ForeignWatch, foreignSigner } from './foreign-watch.ts';
import type { Guard, GuardStatus } from './guard.ts';
import type { Meter } from './meter.ts';
import { Mutex } from './mutex.ts';
import type { NodeWatch } from './node-watch.ts';
import { Pause } from './pause.ts';
import type { Clock, Log, NodeView, Random, RecordStore } from './ports.ts';
import { cloned, type Role, recordStatus, roleRefusal } from './record-role.ts';
import { type Reserving, readMsMax, reserve, writeMsMax } from './record-sign.ts';
import { type Reading, RecordView } from './record-view.ts';
import type { Releaser, Signed } from './release.ts';
import type { SignRequest } from './request.ts';
import { withPendingIncarnation } from './state.ts';
import type { StateKeeper } from './state-keeper.ts';

export interface RecordSignerParts {
  store: RecordStore;
  keeper: StateKeeper;
  clock: Clock;
  random: Random;
  node: NodeView;
  watch: NodeWatch;
  releaser: Releaser;
  meter?: Meter | undefined;
  log: Log;
  /** Called after each reading, beat and change of role. */
  onChange: () => void;
}

/** Between two looks at the record while a proposal is held: whoever holds the role proposes within some of them. */
const proposalPollMs = 50;
/** A takeover that did not come within this time of the holder's last beat is not about to come. */
const takeoverMsMax = 6000;
/** A claim that takes longer than this (the table is away) holds no more requests: the node must keep up. */
const claimingHoldMsMax = 5000;

export class RecordSigner implements Guard {
  readonly #parts: RecordSignerParts;
  readonly #view: RecordView;
  readonly #incarnation: string;
  readonly #raiser: BeatRaiser;
  readonly #beat: BeatReader;
  readonly #foreign: ForeignWatch;
  /** Sign requests, claims and renewals: one at a time. */
  readonly #serial = new Mutex();
  readonly #pause: Pause;
  readonly #changed: Pause;
  /** Requests are held until the record was first read. */
  #role: Role = 'claiming';
  #sinceMs: number;
  #refusal: Refusal | undefined;
  #reason: string | undefined = 'the record was not read yet';
  #holding: Holding | undefined;
  #grant: { epoch: number; seenMs: number; commit?: { height: number; atMs: number } } | undefined;
  /** Proposals that wait for a sign of the holder. */
  #proposalsHeld = 0;
  #stopped = false;
  #loop: Promise<void> = Promise.resolve();

  constructor(parts: RecordSignerParts) {
    this.#parts = parts;
    const { store, keeper, clock, random } = parts;
    const pin = keeper.state.record;
    if (!pin) throw new Error('the state pins no record');
    this.#view = new RecordView(store, keeper, clock, pin.key);
    this.#incarnation = random.hex(16);
    this.#sinceMs = clock.now();
    this.#pause = new Pause(clock);
    this.#changed = new Pause(clock);
    this.#raiser = new BeatRaiser(parts, pin.key);
    this.#beat = new BeatReader(store, clock, pin);
    this.#foreign = new ForeignWatch({
      node: parts.node,
      log: parts.log,
      knownHeight: () => this.#view.latest?.height,
      confirmedHeight: () => this.#confirmedHeight(),
      onForeign: (height, known) => this.#stopForForeign(height, known),
    });
  }

  /** The new incarnation is on disk before anything uses it. */
  async start(): Promise<void> {
    const { keeper, releaser } = this.#parts;
    await releaser.start(keeper.state.lastEntry);
    keeper.change((state) => withPendingIncarnation(state, this.#incarnation));
    await keeper.save();
    this.#loop = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#pause.wake();
    this.#changed.wake();
    await this.#loop;
    await this.#serial.run(() => this.#parts.releaser.stop());
  }

  async sign(request: SignRequest, deadlineMs: number): Promise<Signed> {
    await this.#admit(request, deadlineMs);
    return await this.#serial.run(async () => {
      const { keeper, clock, random, node, releaser, meter } = this.#parts;
      const asked = request.position;
      const holding = this.#holding;
      if (this.#role !== 'active' || !holding) throw this.#notActive(request);
      checkOrder(request, keeper.state.seen);
      const { seen } = keeper.state;
      if (leaps(request, seen.height)) checkLeap(request, seen, await node.committedHeight());
      await this.#foreign.vet(asked.height);
      const context: Reserving = {
        view: this.#view,
        keeper,
        clock,
        random,
        holding,
        deadlineMs,
        meter,
        releaser,
      };
      try {
        const { held, entry } = await reserve(request, context);
        if (clock.now() >= deadlineMs)
          throw new Refusal('too-late', 'the time of this request is over', { asked });
        // A commit may have told of a foreign signer meanwhile.
        if (this.#view.trouble) throw this.#view.trouble;
        return await releaser.release(request, held, entry, deadlineMs);
      } finally {
        this.#settleRole();
      }
    });
  }

  status(): GuardStatus {
    const { keeper, clock } = this.#parts;
    const record = this.#view.latest;
    const active = this.#role === 'active';
    return recordStatus({
      role: this.#role,
      reason: this.#reason,
      refusal: this.#role === 'refusing' ? this.#refusal : undefined,
      epoch: this.#holding?.epoch,
      record,
      ageMs: this.#view.ageMs,
      state: keeper.state,
      beat: active ? this.#raiser.status(clock.now()) : this.#beat.status(this.#periodMs()),
    });
  }

  connectionChanged(): void {
    if (this.#role === 'active') void this.#raise();
    else this.#pause.wake();
  }

  committed(height: number, source: 'pilot' | 'request'): void {
    if (source === 'pilot' && this.#grant && !this.#grant.commit) {
      this.#grant.commit = { height, atMs: this.#parts.clock.now() };
      this.#pause.wake();
    }
    void this.#foreign.committed(height);
  }

  look(): void {
    this.#pause.wake();
  }

  standBy(): void {
    if (this.#role === 'fenced') this.#become('standby');
    this.#pause.wake();
  }

  /** Resolves when the role may sign; holds the request while that is worth it. @throws Refusal */
  async #admit(request: SignRequest, deadlineMs: number): Promise<void> {
    const { clock } = this.#parts;
    const askedMs = clock.now();
    while (this.#role !== 'active') {
      const claims = this.#role === 'claiming' && clock.now() - this.#sinceMs < claimingHoldMsMax;
      const left = deadlineMs - clock.now();
      const waits = claims || this.#proposalWaits(request, askedMs);
      if (this.#stopped || left <= 0 || !waits) throw this.#notActive(request);
      if (claims) await this.#changed.for(left);
      else await this.#holdProposal(left);
    }
  }

  /**
   * A lost proposal costs the chain 3 s, a held one this node's place in the round. So a standby holds one until
   * the record shows the holder at work on it or past it, or the holder's beat rose after it was asked for.
   */
  #proposalWaits({ kind, position }: SignRequest, askedMs: number): boolean {
    const { latest } = this.#view;
    if (this.#role !== 'standby' || kind !== 'proposal' || !latest) return false;
    // Nobody took over for so long: held again and again, the node would only fall behind, and be fit no more.
    if (this.#beat.isStillFor(takeoverMsMax)) return false;
    return comparePositions(latest, position) < 0 && !this.#beat.livedPast(askedMs);
  }

  async #holdProposal(ms: number): Promise<void> {
    this.#proposalsHeld += 1;
    this.#pause.wake();
    await this.#changed.for(ms);
    this.#proposalsHeld -= 1;
  }

  #notActive(request: SignRequest): Refusal {
    if (this.#role === 'refusing' && this.#refusal) return this.#refusal;
    return roleRefusal(this.#role, request, this.#view.latest?.holder || 'nobody', this.#reason);
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const beganMs = this.#parts.clock.now();
      const nextMs = await this.#look();
      if (this.#proposalsHeld > 0) this.#changed.wake();
      this.#parts.onChange();
      const restMs = Math.max(nextMs - (this.#parts.clock.now() - beganMs), 1);
      if (!this.#stopped) await this.#pause.for(restMs);
    }
  }

  /** One reading of record and beat, and what follows from it. @returns ms from its start to the next one */
  async #look(): Promise<number> {
    const { keeper, log } = this.#parts;
    const everyMs = this.#proposalsHeld > 0 ? proposalPollMs : this.#periodMs() / 3;
    try {
      const [reading] = await Promise.all([
        this.#view.read(readMsMax),
        this.#role === 'active' ? this.#raise() : this.#beat.read(readMsMax, everyMs),
      ]);
      if (reading.kind === 'record') this.#beat.adopt(reading.record);
      if (this.#stopped) return everyMs;
      const soonMs = await this.#follow(reading);
      if (keeper.lags) await keeper.save();
      return soonMs ?? everyMs;
    } catch (error) {
      // A state file that can't be written has ended the process already; all else is worth a line and another look.
      log.error({ err: error }, 'a look at the sign record failed');
      return everyMs;
    }
  }

  /** @returns ms to the next look where it should be sooner than the beat */
  async #follow(reading: Reading): Promise<number | undefined> {
    if (reading.kind === 'doubt') {
      // Before the first good reading nothing is known: the node's requests are not held for longer than one try.
      if (!this.#view.latest && this.#role === 'claiming') this.#become('standby');
      if (this.#role !== 'refusing') this.#reason = `the sign record can't be read: ${reading.cause}`;
      return undefined;
    }
    this.#settleRole();
    const record = this.#view.latest;
    if (reading.kind === 'trouble' || !record) return undefined;
    const { thing } = this.#parts.keeper.state;
    if (this.#standing(record) === 'former') {
      await this.#serial.run(() => this.#renew(record));
      return pollMs;
    }
    if (!isGranted(record, thing)) {
      this.#grant = undefined;
      return undefined;
    }
    return await this.#useGrant(record);
  }

  async #useGrant(record: SignRecord): Promise<number> {
    const { clock, watch, keeper } = this.#parts;
    if (this.#grant?.epoch !== record.grantEpoch) {
      this.#grant = { epoch: record.grantEpoch, seenMs: clock.now() };
    }
    const holder =
      record.epoch === 0 || record.holder === '' || record.holder === keeper.state.thing
        ? 'none'
        : this.#beat.holder(this.#periodMs());
    const waitMs = claimInMs({
      holder,
      blockMs: watch.blockMs,
      grantSeenMs: this.#grant.seenMs,
      commit: this.#grant.commit,
      record,
      nowMs: clock.now(),
    });
    // Until the node commits it must not wait for us: it is told no at once, as by any standby.
    const imminent = waitMs === 0 || this.#grant.commit !== undefined;
    if (imminent && this.#role !== 'active')
      this.#become('claiming', `was granted epoch ${record.grantEpoch}`);
    else if (this.#role === 'claiming')
      this.#become('standby', `claims epoch ${record.grantEpoch} after a commit`);
    if (waitMs > 0) return Math.min(waitMs, this.#grant.commit ? pollMs : this.#periodMs() / 3);
    await this.#serial.run(() => this.#claim(record));
    return pollMs;
  }

  async #claim({ recordId, grantEpoch }: SignRecord): Promise<void> {
    const { keeper, log } = this.#parts;
    const { thing } = keeper.state;
    const holding = { recordId, epoch: grantEpoch, holder: thing, incarnation: this.#incarnation };
    const writing = await this.#view.write(claim(this.#view.key, holding), writeMsMax);
    log.info({ epoch: grantEpoch, outcome: writing.kind }, 'claimed the right to sign');
    this.#settleRole();
  }

  /** This server's former process holds the record: this one takes over from it. */
  async #renew(record: SignRecord): Promise<void> {
    const former = holdingIn(record);
    const writing = await this.#view.write(
      renewIncarnation(this.#view.key, former, this.#incarnation),
      writeMsMax,
    );
    this.#parts.log.info({ epoch: record.epoch, outcome: writing.kind }, 'took over from the former process');
    this.#settleRole();
  }

  #standing(record: SignRecord): Standing {
    const { state } = this.#parts.keeper;
    return standing(record, { thing: state.thing, incarnation: this.#incarnation, state });
  }

  /** Brings the role in line with the record as last seen. */
  #settleRole(): void {
    const { trouble, latest: record } = this.#view;
    if (trouble) {
      this.#refuse(trouble);
    } else if (record) {
      const held = this.#standing(record);
      if (held === 'held') this.#activate(record);
      else this.#withhold(record, held);
    }
  }

  /** The record is not this process's. */
  #withhold(record: SignRecord, held: Standing): void {
    const wasActive = this.#role === 'active';
    this.#holding = undefined;
    this.#foreign.reset();
    const granted = isGranted(record, this.#parts.keeper.state.thing);
    if (held === 'former') this.#become('claiming', 'takes over from its former process');
    else if (held === 'clone' && !granted) this.#refuse(cloned(record));
    else if (wasActive) this.#become('fenced', `${record.holder} took over in epoch ${record.epoch}`);
    else if (granted ? this.#role === 'refusing' : this.#role !== 'fenced') this.#become('standby');
  }

  #activate(record: SignRecord): void {
    const holding = holdingIn(record);
    if (this.#role === 'active' && this.#holding?.epoch === holding.epoch) {
      this.#reason = undefined;
      return;
    }
    this.#holding = holding;
    this.#foreign.reset();
    this.#grant = undefined;
    this.#parts.keeper.change((state) => ({ ...state, incarnation: this.#incarnation }));
    this.#become('active');
    void this.#raise();
    // Ahead of the first request, so that it need not wait. Its failure counts when a request meets it again.
    void this.#serial
      .run(() => this.#foreign.vet())
      .catch((error: unknown) =>
        this.#parts.log.warn({ err: error }, 'the check for a foreign signer failed'),
      );
  }

  #become(role: Role, reason?: string): void {
    this.#reason = reason;
    if (role !== 'refusing') this.#refusal = undefined;
    if (role === this.#role) return;
    this.#parts.log.info({ from: this.#role, to: role, reason }, 'role');
    this.#role = role;
    this.#sinceMs = this.#parts.clock.now();
    this.#changed.wake();
    this.#parts.onChange();
  }

  #refuse(refusal: Refusal): void {
    this.#holding = undefined;
    this.#foreign.reset();
    this.#refusal = refusal;
    if (this.#role !== 'refusing') this.#parts.log.error({ code: refusal.code }, refusal.message);
    this.#become('refusing', refusal.message);
  }

  /** The record's height, read after a commit was seen. @throws Refusal */
  async #confirmedHeight(): Promise<number> {
    const reading = await this.#view.read(readMsMax);
    if (reading.kind === 'record') return reading.record.height;
    if (reading.kind === 'trouble') throw reading.trouble;
    throw new Refusal('doubt', `the record could not be read after a commit was seen: ${reading.cause}`);
  }

  async #stopForForeign(height: number, known: number): Promise<Refusal> {
    const foreign = foreignSigner(
      height,
      `the sign record knows nothing above ${known}`,
      'move the signer state away and join the record again',
    );
    this.#view.bar('foreign-signer', foreign);
    this.#settleRole();
    await this.#parts.keeper.save();
    return foreign;
  }

  async #raise(): Promise<void> {
    if (!this.#holding) return;
    await this.#raiser.raise(this.#holding);
    this.#parts.onChange();
  }

  #periodMs(): number {
    const { blockMs } = this.#parts.watch;
    return beatPeriodMs(blockMs === undefined ? undefined : blockMs / 1000);
  }
}
