/**
 * Signers of one key around one record, in one process, under a seeded clock, network and disk: the very core that runs
 * in production. A process can be killed at any of its effects, a disk can be an old one, a machine can be cloned.
 */

import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { type SignPosition, showPosition } from '../../protocol/sign-position.ts';
import { enrol, grant, type SignRecord, signRecordKey } from '../../protocol/sign-record.ts';
import type { JournalEntry } from '../../protocol/signer-control.ts';
import type { Guard } from '../core/guard.ts';
import { LocalSigner } from '../core/local-signer.ts';
import { NodeWatch } from '../core/node-watch.ts';
import type { Journal, Log, NodeView, RecordStore, SigningKey, StateFile } from '../core/ports.ts';
import { RecordSigner } from '../core/record-signer.ts';
import { Releaser } from '../core/release.ts';
import { proposalRequest, timestampText, voteRequest } from '../core/request.ts';
import { consensusAddress, SigningService } from '../core/service.ts';
import { enrolledState, type SignerState } from '../core/state.ts';
import { StateKeeper } from '../core/state-keeper.ts';
import type { Wakeable } from '../core/within.ts';
import { parseResponse } from '../privval/messages.ts';
import { type Ask, chainId, request } from './requests.ts';
import { SeededChance, SteppedClock } from './seeded.ts';
import { type NetworkFaults, quietNetwork, Table } from './table.ts';

const publicKey = new Uint8Array(32).fill(7);
export const recordKey = signRecordKey(chainId, consensusAddress(publicKey));
export const recordId = 'record-0001';

/** Stands for Ed25519: deterministic, and whoever has the bytes can check it. */
function sign(bytes: Uint8Array): Uint8Array {
  return createHash('sha512').update(bytes).digest();
}

const silent: Log = { debug() {}, info() {}, warn() {}, error() {} };

export interface Released {
  at: SignPosition;
  bytes: string;
  block: string;
  by: string;
}

/** One server: its disk outlives its processes. */
export interface Machine {
  name: string;
  thing: string;
  disk: SignerState;
  /** Each state that the disk ever held. */
  history: SignerState[];
  journal: JournalEntry[];
  /** Hash of what was last released from this disk; undefined: the disk was put back, and knows of nothing. */
  released: string | undefined;
  process: Running | undefined;
  network: NetworkFaults;
  saves: 'work' | 'fail';
}

export interface Running {
  guard: Guard;
  service: SigningService;
  watch: NodeWatch;
  /** Effects until the process dies; undefined: it lives. */
  effectsLeft: number | undefined;
  dead: boolean;
}

export class Fleet {
  readonly clock = new SteppedClock();
  readonly chance: SeededChance;
  readonly table: Table;
  readonly released: Released[] = [];
  /** Signatures that were made before record or disk held their bytes. */
  readonly unguarded: string[] = [];
  readonly machines = new Map<string, Machine>();
  /** The chain as every node sees it. */
  committed = 0;
  /** Heights whose commit shows our signature, whoever made it; releases are added by themselves. */
  readonly signedOnChain = new Set<number>();
  /** False: the nodes' RPC does not answer. */
  rpc = true;

  constructor(seed = 1) {
    this.chance = new SeededChance(seed);
    this.table = new Table(this.clock, this.chance);
  }

  enrolRecord(floor: SignPosition = { height: 0, round: 0, step: 3 }): void {
    this.table.apply(enrol(recordKey, recordId, floor));
  }

  get record(): SignRecord {
    return this.table.items.get(recordKey) as SignRecord;
  }

  grant(thing: string): void {
    this.table.apply(grant(recordKey, this.record, thing));
  }

  add(name: string, state: Partial<SignerState> = {}, thing = name): Machine {
    const disk: SignerState = {
      ...enrolledState(
        {
          guard: 'record',
          record: { table: 't-1', key: recordKey, recordId },
          publicKey: Buffer.from(publicKey).toString('base64'),
          chainId,
          thing,
          machine: '',
          floor: { height: 0, round: 0, step: 3 },
        },
        'done',
      ),
      ...state,
    };
    const machine: Machine = {
      name,
      thing,
      disk,
      history: [disk],
      journal: [],
      released: undefined,
      process: undefined,
      network: quietNetwork,
      saves: 'work',
    };
    this.machines.set(name, machine);
    return machine;
  }

  clone(of: Machine, name: string): Machine {
    return this.add(name, of.disk, of.thing);
  }

  /** @param effectsLeft the process dies at this effect, before or after it took place */
  async start(machine: Machine, effectsLeft?: number): Promise<Running> {
    const watch = new NodeWatch();
    const running: Running = { watch, effectsLeft, dead: false } as Running;
    machine.process = running;
    const clock = this.#clockOf(running);
    // As main.ts: the process ends a little later, and must not sign meanwhile.
    const keeper = new StateKeeper(this.#fileOf(machine, running), machine.disk, () => {
      void this.clock.sleep(100).then(() => this.#die(running));
    });
    const releaser = new Releaser({
      key: this.#keyOf(machine, running),
      journal: this.#journalOf(machine, running),
      clock,
      thing: machine.thing,
    });
    const node = this.#nodeOf(running);
    const parts = { keeper, clock, watch, node, releaser, log: silent, onChange() {} };
    running.guard =
      machine.disk.guard === 'local'
        ? new LocalSigner(parts)
        : new RecordSigner({ ...parts, store: this.#storeOf(machine, running), random: this.chance });
    running.service = new SigningService({
      publicKey,
      chainId,
      guard: () => running.guard,
      watch,
      clock,
      log: silent,
    });
    watch.connection(true);
    void running.guard.start().catch(() => {});
    return running;
  }

  /** One active server, after its claim. */
  async active(name = 'a'): Promise<Machine> {
    if (!this.table.items.has(recordKey)) this.enrolRecord();
    const machine = this.machines.get(name) ?? this.add(name);
    if (!machine.process) await this.start(machine);
    this.grant(machine.thing);
    // A holder that beats is relieved after a commit, or when none comes for 10 s.
    for (let waited = 0; waited < 150 && this.state(machine) !== 'active'; waited++) await this.run(100);
    if (machine.process?.guard.status().state !== 'active') {
      throw new Error(`${name} is ${JSON.stringify(machine.process?.guard.status())}`);
    }
    return machine;
  }

  run(ms: number): Promise<void> {
    return this.clock.run(ms);
  }

  /** Asks, and lets time pass until the answer. @returns the bytes in base64, or the refusal's code */
  async answer(machine: Machine, ask: Ask): Promise<string> {
    let answer: Awaited<ReturnType<Fleet['ask']>> | undefined;
    const asking = this.ask(machine, ask).then((found) => {
      answer = found;
    });
    for (let waitedMs = 0; !answer && waitedMs < 4000; waitedMs += 20) await this.run(20);
    if (!answer) throw new Error('no answer within 4 s');
    await asking;
    return 'bytes' in answer ? answer.bytes : (answer.refused.split(':')[0] ?? '');
  }

  state(machine: Machine): string | undefined {
    return machine.process?.guard.status().state;
  }

  kill(machine: Machine): void {
    if (machine.process) {
      machine.process.dead = true;
      void machine.process.guard.stop().catch(() => {});
    }
    machine.process = undefined;
  }

  /** Asks as the node beside would. @returns the released bytes in base64, or the refusal's text */
  async ask(machine: Machine, ask: Ask): Promise<{ bytes: string } | { refused: string }> {
    const running = machine.process;
    const message = request(ask);
    if (!running || (message.kind !== 'signVote' && message.kind !== 'signProposal'))
      return { refused: 'down' };
    const answer = parseResponse(await running.service.answer(message));
    // What a dead process had in hand never left it.
    if (running.dead) return { refused: 'died' };
    if (answer.kind === 'error') return { refused: answer.description };
    if (answer.kind !== 'signVote' && answer.kind !== 'signProposal')
      throw new Error('not an answer to this');
    const asked =
      message.kind === 'signVote'
        ? voteRequest(chainId, message.vote)
        : proposalRequest(chainId, message.proposal);
    const bytes = asked.signBytesAt(answer.kind === 'signVote' ? timestampText(answer.timestamp) : '');
    // The node checks so too (types/vote.go `SignAndCheckVote`).
    if (!bytes || !Buffer.from(sign(bytes)).equals(answer.signature)) {
      throw new Error('the answer is no signature of what was asked');
    }
    const { height, round, step } = asked.position;
    const text = Buffer.from(bytes).toString('base64');
    const hash = createHash('sha256').update(bytes).digest('hex');
    this.#checkTold(machine, hash);
    machine.released = hash;
    this.released.push({ at: { height, round, step }, bytes: text, block: asked.blockId, by: machine.name });
    if (step === 3 && ask.block !== '') this.signedOnChain.add(height);
    return { bytes: text };
  }

  /** Positions that were released over different bytes. */
  conflicts(): Released[][] {
    const byPosition = new Map<string, Released[]>();
    for (const one of this.released) {
      const position = showPosition(one.at);
      byPosition.set(position, [...(byPosition.get(position) ?? []), one]);
    }
    return [...byPosition.values()].filter((all) => new Set(all.map(({ bytes }) => bytes)).size > 1);
  }

  /** An effect of a process: it may die just before, or just after. A dead one waits for ever. */
  async #effect<T>(running: Running, act: () => Promise<T>): Promise<T> {
    const never = () => new Promise<never>(() => {});
    if (running.dead) return await never();
    const last = running.effectsLeft !== undefined && --running.effectsLeft <= 0;
    if (last && this.chance.happens(0.5)) {
      this.#die(running);
      return await never();
    }
    const result = await act();
    if (last) this.#die(running);
    return running.dead ? await never() : result;
  }

  #die(running: Running): void {
    for (const machine of this.machines.values()) if (machine.process === running) this.kill(machine);
  }

  #clockOf(running: Running) {
    const { clock } = this;
    return {
      now: () => clock.now(),
      wall: () => clock.wall(),
      sleep: (ms: number, signal?: Wakeable) =>
        running.dead ? new Promise<void>(() => {}) : clock.sleep(ms, signal),
    };
  }

  #fileOf(machine: Machine, running: Running): StateFile {
    return {
      load: async () => ({ kind: 'state', state: machine.disk }),
      save: (state) =>
        this.#effect(running, async () => {
          await this.clock.sleep(this.chance.next() * 3);
          // A dead process's write is not carried on; whether it had got through is chance.
          if (machine.saves === 'fail') throw new Error('no space left on device');
          if (running.dead) return;
          machine.disk = structuredClone(state);
          machine.history.push(machine.disk);
        }),
    };
  }

  #storeOf(machine: Machine, running: Running): RecordStore {
    const store = this.table.store(() => machine.network);
    return {
      read: (key, timeoutMs) => this.#effect(running, () => store.read(key, timeoutMs)),
      update: (update, timeoutMs) =>
        this.#effect(running, () => {
          const { incarnation } = update.set;
          if (
            update.key === recordKey &&
            incarnation &&
            !machine.disk.pendingIncarnations.includes(`${incarnation}`)
          ) {
            this.unguarded.push(
              `${machine.name}: incarnation ${incarnation} was sent before the disk held it`,
            );
          }
          return store.update(update, timeoutMs);
        }),
    };
  }

  #nodeOf(running: Running): NodeView {
    return {
      committedHeight: () => this.#effect(running, async () => (this.rpc ? this.committed : undefined)),
      ourSignatureAt: (height) =>
        this.#effect(running, async () => {
          if (!this.rpc || height > this.committed) return 'unknown';
          return this.signedOnChain.has(height) ? 'signed' : 'absent';
        }),
    };
  }

  #keyOf(machine: Machine, running: Running): SigningKey {
    return {
      publicKey,
      sign: (bytes) =>
        this.#effect(running, async () => {
          this.#checkGuarded(machine, Buffer.from(bytes).toString('base64'));
          return sign(bytes);
        }),
    };
  }

  /** Invariant 2, at the one place where it counts. */
  #checkGuarded(machine: Machine, bytes: string): void {
    // A vote extension's bytes are nobody's position; they go out with the precommit before them. Votes and
    // proposals begin with their type, field 1 as a varint; none here is longer than 127 bytes.
    if (Buffer.from(bytes, 'base64')[1] !== 0x08) return;
    const recorded = machine.disk.guard === 'local' || this.table.signBytesHeld.has(bytes);
    if (!recorded) this.unguarded.push(`${machine.name}: the record never held ${bytes}`);
    if (machine.disk.own.signBytes !== bytes)
      this.unguarded.push(`${machine.name}: the disk holds no ${bytes}`);
  }

  #journalOf(machine: Machine, running: Running): Journal {
    return {
      // A journal is read whole: a node asks sooner.
      has: async (entry) => {
        await this.clock.sleep(20 + this.chance.next() * 20);
        return machine.journal.some((one) => isDeepStrictEqual(one, entry));
      },
      append: (entry) =>
        this.#effect(running, async () => {
          await this.clock.sleep(this.chance.next() * 3);
          if (!running.dead) machine.journal.push(entry);
        }),
    };
  }

  /** What is released is in the state file or in the journal, what was released before it in the journal. */
  #checkTold({ name, disk, journal, released }: Machine, hash: string): void {
    const told = (one: string) => [disk.lastEntry, ...journal].some((entry) => entry?.signBytesHash === one);
    if (!told(hash)) this.unguarded.push(`${name}: released ${hash}, of which its disk tells nothing`);
    if (released !== undefined && !told(released))
      this.unguarded.push(`${name}: released ${hash}, and its journal lacks ${released}`);
  }
}
