/** A signer process of a simulated server: production's guards, service, state file and journal, on this world's effects. */

import { createHash } from 'node:crypto';
import { signTableName } from '../../protocol/sign-record.ts';
import type { SignerStatus } from '../../protocol/signer-control.ts';
import { ClosedGuard, type Guard, type GuardStatus } from '../../signer/core/guard.ts';
import { LocalSigner } from '../../signer/core/local-signer.ts';
import { NodeWatch } from '../../signer/core/node-watch.ts';
import type { Clock, Journal, Log, NodeView, SigningKey } from '../../signer/core/ports.ts';
import { RecordSigner } from '../../signer/core/record-signer.ts';
import { Releaser } from '../../signer/core/release.ts';
import { proposalRequest, timestampText, voteRequest } from '../../signer/core/request.ts';
import { SigningService } from '../../signer/core/service.ts';
import { nothingHeld, type SignerState } from '../../signer/core/state.ts';
import { StateKeeper } from '../../signer/core/state-keeper.ts';
import { DiskJournal } from '../../signer/disk/journal.ts';
import { DiskStateFile } from '../../signer/disk/state-file.ts';
import { readState } from '../../signer/disk/state-text.ts';
import { parseResponse } from '../../signer/privval/messages.ts';
import { RecordClient } from '../../signer/record-client.ts';
import { type Ask, chainId, request } from '../../signer/rehearsal/requests.ts';
import { refusalOf } from '../../signer/signer-process.ts';
import { signTableOf } from '../cloud/sign-table.ts';
import { Process } from '../world/process.ts';
import type { Host } from './host.ts';
import { heard, Oracle } from './oracle.ts';
import { publicKey, recordKey, standInSignature, type World } from './world.ts';

export const stateDir = '/signer';
/** A state file is begun anew after a few states: power fails at that, too. */
const stateBytesMax = 4 * 1024;
const silent: Log = { debug() {}, info() {}, warn() {}, error() {} };
const effectsMax = 60;
/** main.ts ends the process so long after a save that failed. */
const fatalMs = 100;

export class Signer {
  readonly process: Process;
  #durableRead: { text: string; state: Partial<SignerState> } | undefined;
  readonly #world: World;
  readonly #server: Host;
  readonly #watch = new NodeWatch();
  readonly #watchers = new Set<(status: SignerStatus) => void>();
  /** Epoch of each release in the journal, by the hash of its sign bytes. */
  readonly #journalled = new Map<string, number>();
  readonly #oracle: Oracle;
  #committedAtAsk = 0;
  #guard: Guard | undefined;
  #service: SigningService | undefined;
  #pushing = false;

  constructor(world: World, server: Host, onDeath: () => void) {
    this.#world = world;
    this.#server = server;
    this.process = new Process(`${server.name} signer`, world, server.clock, onDeath);
    if (world.dies > 0 && world.chance.happens(world.dies)) {
      this.process.effectsLeft = 1 + world.chance.below(effectsMax);
    }
    this.#oracle = new Oracle({
      safety: world.safety,
      name: server.name,
      thing: server.thing,
      recordKey,
      disk: () => this.#durableState(),
      epoch: () => this.#guard?.status().epoch ?? 0,
      committed: () => this.#committedAtAsk,
      foreign: world.chain.foreign,
    });
  }

  async start(): Promise<void> {
    const { process } = this;
    const server = this.#server;
    const file = new DiskStateFile(stateDir, server.disk.of(process), stateBytesMax);
    const reading = await file.load();
    const pins = {
      thing: server.thing,
      chainId,
      table: signTableName,
      dynamo: { table: signTableName, region: 'sim' },
    };
    const refusal = refusalOf(reading, pins, { publicKey }, server.machineId);
    const clock: Clock = {
      now: () => process.nowMs(),
      wall: () => process.wallMs(),
      sleep: (ms, signal) => process.sleep(ms, signal),
    };
    if (reading.kind !== 'state' || refusal) {
      const { height, round, step } = reading.kind === 'state' ? reading.state.own : nothingHeld;
      if (!refusal) throw new Error('a reading without a state is a refusal');
      this.#guard = new ClosedGuard(refusal, {
        guard: 'none',
        epoch: 0,
        height: 0,
        released: { height, round, step },
      });
    } else {
      const keeper = new StateKeeper(
        file,
        reading.state,
        () => void process.sleep(fatalMs).then(() => process.kill()),
      );
      const parts = {
        keeper,
        clock,
        watch: this.#watch,
        node: this.#nodeView(),
        releaser: new Releaser({ key: this.#key(), journal: this.#journal(), clock, thing: server.thing }),
        log: silent,
        onChange: () => this.push(),
      };
      if (reading.state.guard === 'local') this.#guard = new LocalSigner(parts);
      else {
        const table = signTableOf({
          tables: this.#world.tables,
          way: server.way,
          process,
          chance: this.#world.chance,
          faults: this.#world.dynamo,
          oracle: this.#oracle,
        });
        const store = heard(new RecordClient(table, signTableName, clock.sleep), this.#oracle);
        this.#guard = new RecordSigner({ ...parts, store, random: this.#world.chance });
      }
    }
    const guard = this.#guard;
    this.#service = new SigningService({
      publicKey,
      chainId,
      guard: () => guard,
      watch: this.#watch,
      clock,
      log: silent,
    });
    this.#watch.connection(server.node !== undefined);
    process.every(1000, () => this.push());
    await guard.start();
    this.push();
  }

  /** The node beside connected or went away. */
  connection(connected: boolean): void {
    this.process.deliver(() => {
      this.#watch.connection(connected);
      this.#guard?.connectionChanged();
    });
  }

  get status(): GuardStatus | undefined {
    return this.#guard?.status();
  }

  /** A pilot that watches the control socket. */
  onStatus(hear: (status: SignerStatus) => void): void {
    this.#watchers.add(hear);
    this.push();
  }

  control(type: 'grant' | 'stand-by' | 'commit', height = 0): void {
    this.process.deliver(() => {
      if (type === 'grant') this.#guard?.look();
      else if (type === 'stand-by') this.#guard?.standBy();
      else {
        this.#watch.committed(height, this.process.nowMs());
        this.#guard?.committed(height, 'pilot');
      }
    });
  }

  /** Once for all that happens in the same turn, as the control server does. */
  push(): void {
    if (this.#pushing || this.#watchers.size === 0 || this.process.dead) return;
    this.#pushing = true;
    this.#world.scheduler.after(0, () =>
      this.process.deliver(() => {
        this.#pushing = false;
        const status = this.#status();
        if (status) for (const hear of this.#watchers) hear(status);
      }),
    );
  }

  #status(): SignerStatus | undefined {
    if (!this.#guard || !this.#service) return undefined;
    const { askedMs, blockMs, connected } = this.#watch;
    return {
      type: 'status',
      ...this.#service.counts(),
      ...this.#guard.status(),
      nodeConnected: connected,
      ...(askedMs === undefined ? {} : { sinceRequestMs: Math.round(this.process.nowMs() - askedMs) }),
      ...(blockMs === undefined ? {} : { blockSeconds: blockMs / 1000 }),
      pid: 1,
      version: 'simulated',
    };
  }

  /** @returns what a node gets: a signature over these bytes, or why there is none */
  async ask(ask: Ask): Promise<{ signed: true } | { refused: string }> {
    const message = request(ask);
    const service = this.#service;
    if (!service || (message.kind !== 'signVote' && message.kind !== 'signProposal'))
      return { refused: 'down' };
    this.#committedAtAsk = this.#server.node?.model.committed ?? 0;
    const answer = parseResponse(await this.process.gate(await service.answer(message)));
    this.#world.safety.asked += 1;
    if (answer.kind === 'error') return { refused: answer.description };
    if (answer.kind !== 'signVote' && answer.kind !== 'signProposal')
      throw new Error('not an answer to this');
    const asked =
      message.kind === 'signVote'
        ? voteRequest(chainId, message.vote)
        : proposalRequest(chainId, message.proposal);
    const bytes = asked.signBytesAt(answer.kind === 'signVote' ? timestampText(answer.timestamp) : '');
    const { safety } = this.#world;
    // The node checks so too (types/vote.go `SignAndCheckVote`).
    if (!bytes || !Buffer.from(standInSignature(bytes)).equals(answer.signature)) {
      safety.violated(
        1,
        `${this.#server.name} answered with a signature of something else than ${JSON.stringify(ask)}`,
      );
      return { refused: 'unusable' };
    }
    if (
      answer.kind === 'signVote' &&
      answer.extensionSignature.length > 0 &&
      (ask.step !== 3 || ask.block === '')
    ) {
      safety.violated(2, `${this.#server.name} signed an extension beside ${JSON.stringify(ask)}`);
    }
    const hash = createHash('sha256').update(bytes).digest('hex');
    const epoch = this.#told(hash, JSON.stringify(ask));
    const text = Buffer.from(bytes).toString('base64');
    const recordedIn = this.#world.held.get(text) ?? 0;
    if (epoch !== undefined && epoch > 0 && epoch < recordedIn) {
      safety.violated(
        3,
        `${this.#server.name} released as of epoch ${epoch} what was recorded in epoch ${recordedIn}`,
      );
    }
    const { height, round, step } = asked.position;
    const { chain } = this.#world;
    if (height > chain.height + 3) {
      safety.violated(8, `${this.#server.name} signed at ${height}, the chain is at ${chain.height}`);
    }
    safety.released({
      at: { height, round, step },
      bytes: text,
      block: asked.blockId,
      by: this.#server.name,
      // Of the holder who decided it: whoever takes over gives the record's own bytes out again as they are.
      epoch: recordedIn > 0 ? recordedIn : (epoch ?? 0),
    });
    this.#world.trace(`${this.#server.name} signed ${height}/${round}/${step} ${ask.block || 'nil'}`);
    return { signed: true };
  }

  /** What is released is in the state file or in the journal, what was released before it in the journal. @returns its epoch there */
  #told(hash: string, what: string): number | undefined {
    const { disk, name } = this.#server;
    const journal = disk.durable(`${stateDir}/journal.jsonl`) ?? '';
    const { lastEntry } = this.#durableState();
    const told = (one: string) => lastEntry?.signBytesHash === one || journal.includes(one);
    const { safety } = this.#world;
    if (!told(hash))
      safety.violated(2, `${name} released ${what}, which neither state nor journal on disk has`);
    if (disk.released !== undefined && !told(disk.released))
      safety.violated(2, `${name} released ${what}, and its journal lacks what it released before`);
    disk.released = hash;
    return lastEntry?.signBytesHash === hash ? lastEntry.epoch : this.#journalled.get(hash);
  }

  #nodeView(): NodeView {
    const node = () => {
      const { node: found, rpcUp } = this.#server;
      return rpcUp && found && !found.process.dead && !found.process.frozen ? found.model : undefined;
    };
    return {
      committedHeight: () =>
        this.process.effect(async () => {
          const found = node();
          return !found || found.catchingUp ? undefined : found.committed;
        }),
      ourSignatureAt: (height) =>
        this.process.effect(async () => {
          const found = node();
          if (!found || height > found.committed || height < 1) return 'unknown';
          return this.#world.chain.signedAt(height) ? 'signed' : 'absent';
        }),
    };
  }

  #key(): SigningKey {
    return {
      publicKey,
      sign: (bytes) =>
        this.process.effect(async () => {
          this.#checkGuarded(bytes);
          return standInSignature(bytes);
        }),
    };
  }

  #journal(): Journal {
    const journal = new DiskJournal(stateDir, undefined, this.#server.disk.of(this.process));
    return {
      has: (entry) => journal.has(entry),
      append: async (entry) => {
        await journal.append(entry);
        this.#journalled.set(entry.signBytesHash, entry.epoch);
      },
    };
  }

  #durableState(): Partial<SignerState> {
    const text = this.#server.disk.durable(`${stateDir}/state.json`) ?? '';
    if (this.#durableRead?.text === text) return this.#durableRead.state;
    let state: Partial<SignerState>;
    try {
      state = readState(text);
    } catch {
      state = {};
    }
    this.#durableRead = { text, state };
    return state;
  }

  /** Invariant 2, at the one place where it counts. */
  #checkGuarded(bytes: Uint8Array): void {
    // Behind the length a vote or proposal begins with its type, field 1 as a varint; an extension's bytes are nobody's position.
    if (bytes[(bytes[0] ?? 0) >= 0x80 ? 2 : 1] !== 0x08) return;
    this.#oracle.signs();
    const text = Buffer.from(bytes).toString('base64');
    const state = this.#durableState();
    const { safety, held } = this.#world;
    if (state.guard !== 'local' && !held.has(text))
      safety.violated(2, `${this.#server.name} signs what no record ever held`);
    if (state.own?.signBytes !== text)
      safety.violated(2, `${this.#server.name} signs what its disk does not hold`);
  }
}
