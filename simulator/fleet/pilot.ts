/** A pilot process of a simulated server: production's role keeper, shadow sync and reports, on this world's effects. */

import { pino } from 'pino';
import {
  blockSeconds,
  type ChainView,
  committed,
  counted,
  initialChainView,
  missedInRow,
} from '../../device-agent/chain/chain-view.ts';
import { NotSentError } from '../../device-agent/cloud/cloud-link.ts';
import { MessageMaker, type OutgoingMessage } from '../../device-agent/cloud/messages.ts';
import { ShadowSync } from '../../device-agent/cloud/shadow-sync.ts';
import type { StatusResult } from '../../device-agent/gaiad/rpc.ts';
import { health } from '../../device-agent/health/reports.ts';
import type { RoleInput } from '../../device-agent/role/plan-role.ts';
import { RoleKeeper, type SignerSeen } from '../../device-agent/role/role-keeper.ts';
import { type SignerLinkEvents, signerSilenceMs } from '../../device-agent/role/signer-link.ts';
import { configFile } from '../../protocol/config.ts';
import type { ControlRequest, SignerStatus } from '../../protocol/signer-control.ts';
import { chainId } from '../../signer/rehearsal/requests.ts';
import type { Client } from '../cloud/iot.ts';
import { Process } from '../world/process.ts';
import type { Host } from './host.ts';
import type { Signer } from './signer.ts';
import { fleetName, type World } from './world.ts';

const log = pino({ level: 'silent' });
const effectsMax = 200;
const settings = configFile.parse({
  gaiad: { command: ['gaiad'], home: 'gaiad', rpc: 'http://localhost:26657', p2p: 'localhost:26656' },
  signer: { chain_id: chainId },
});
const tickMs = 250;
const shadowTickMs = 500;
const lookAtLinkMs = 500;
/** The keep-alive of a connection that nothing passes over. */
const connectionLostMs = 4_000;

export class Pilot {
  readonly process: Process;
  readonly #world: World;
  readonly #server: Host;
  readonly #role: RoleKeeper;
  readonly #shadow: ShadowSync;
  readonly #messages: MessageMaker;
  readonly #link: SignerSocket;
  readonly #client: Client = {
    receive: (topic, payload) =>
      this.#server.way.down(() => this.process.deliver(() => this.#heard(topic, payload))),
    replaced: () => this.process.deliver(() => this.#disconnected()),
  };
  #chain: ChainView = initialChainView;
  #connected = false;
  #silentSinceMs: number | undefined;

  constructor(world: World, server: Host, onDeath: () => void) {
    this.#world = world;
    this.#server = server;
    this.process = new Process(`${server.name} pilot`, world, server.clock, () => {
      // The broker notices in a while.
      world.scheduler.after(1_000, () => world.iot.disconnect(server.thing, this.#client));
      onDeath();
    });
    if (world.dies > 0 && world.chance.happens(world.dies)) {
      this.process.effectsLeft = 1 + world.chance.below(effectsMax);
    }
    const clock = { monotonicMs: () => this.process.nowMs(), wallMs: () => this.process.wallMs() };
    this.#messages = new MessageMaker(fleetName, server.thing, clock);
    this.#link = new SignerSocket(this.process);
    this.#shadow = new ShadowSync({
      thing: server.thing,
      shadow: 'role',
      clock,
      log,
      random: () => world.jitter.next(),
      publish: (topic, payload) => this.#publish(topic, payload),
      onDesired: (desired) => this.#role.take(desired),
      onComplaint: () => {},
    });
    this.#role = new RoleKeeper({
      thing: server.thing,
      kind: 'validator',
      clock,
      log,
      messages: this.#messages,
      openSigner: (events) => this.#link.open(events),
      cloud: () => ({
        report: (_, reported) =>
          this.#shadow.take({ type: 'report', reported: JSON.parse(JSON.stringify(reported)) }),
        reported: () => this.#shadow.reported,
        sendNow: (message) => this.#send(message),
        queue: (message) => this.#send(message),
      }),
      chain: () => this.#chainForRole(),
      onChange: () => this.#sendHealth(),
    });
  }

  start(): void {
    const { process } = this;
    this.#role.start();
    process.every(tickMs, () => this.#role.plan());
    process.every(shadowTickMs, () => this.#shadow.take({ type: 'tick' }));
    process.every(lookAtLinkMs, () => this.#lookAtConnection());
    process.every(this.#world.healthSeconds * 1000, () => this.#sendHealth());
    this.#lookAtConnection();
  }

  /** The signer beside was started, and answers at its control socket. */
  beside(signer: Signer): void {
    // Behind the end of the one before, where this process was frozen meanwhile.
    this.process.deliver(() => this.#link.dial(signer));
  }

  /** The signer beside went away. */
  signerGone(): void {
    this.process.deliver(() => this.#link.gone());
  }

  /** The node beside told of a commit. */
  committed(height: number): void {
    this.process.deliver(() => {
      const { chain } = this.#world;
      const now = { monotonicMs: this.process.nowMs(), wallMs: this.process.wallMs() };
      const live = !this.#catchingUp();
      this.#chain = committed(this.#chain, { height, blockTimeMs: this.#world.scheduler.nowMs }, live, now);
      if (this.#chain.height > 1) this.#chain = counted(this.#chain, height - 1, chain.signedAt(height - 1));
      this.#role.committed(height);
    });
  }

  #catchingUp(): boolean | undefined {
    const { node, rpcUp } = this.#server;
    if (!node || node.process.dead || node.process.frozen || !rpcUp) return undefined;
    return node.model.catchingUp;
  }

  #chainForRole(): RoleInput['chain'] {
    const view = this.#chain;
    return {
      sinceCommitMs: view.committedAtMs === undefined ? undefined : this.process.nowMs() - view.committedAtMs,
      blockSeconds: blockSeconds(view),
      catchingUp: this.#catchingUp(),
      missedInRow: missedInRow(view),
      countedTo: view.countedTo,
      height: view.height,
      commits: view.commits,
      lastSignedHeight: view.lastSignedHeight,
    };
  }

  #sendHealth(): void {
    if (!this.#role?.known) return;
    const { thing, zone, name } = this.#server;
    const catchingUp = this.#catchingUp();
    const status: StatusResult | undefined =
      catchingUp === undefined
        ? undefined
        : {
            node_info: { id: name, network: chainId, version: '' },
            sync_info: {
              latest_block_height: this.#chain.height,
              latest_block_time: 0,
              catching_up: catchingUp,
            },
            validator_info: { address: '', voting_power: 0 },
          };
    this.#send(
      this.#messages.health({
        ...health({
          home: {
            root: '/',
            thing,
            node: { fleet: fleetName, node: name, kind: 'validator', zone },
            config: settings,
            path: (path) => path,
          },
          role: this.#role.reported,
          gaiad: { overlay: '', lastGood: '', state: status ? 'running' : 'unresponsive', rejected: [] },
          chain: this.#chain,
          node: {
            status,
            answeredAtMs: this.process.nowMs(),
            silentSinceMs: undefined,
            peers: 4,
            chainVersion: undefined,
          },
          signer: { up: this.#link.up, status: this.#link.status },
          load: undefined,
          monotonicMs: this.process.nowMs(),
        }),
        everySeconds: this.#world.healthSeconds,
      }),
    );
  }

  #send({ topic, payload }: OutgoingMessage): void {
    this.#publish(topic, payload).catch(() => {});
  }

  async #publish(topic: string, payload: string): Promise<void> {
    if (!this.#connected) throw new NotSentError('not connected');
    await this.process.effect(async () => this.#server.way.up(() => this.#world.iot.publish(topic, payload)));
  }

  #heard(topic: string, payload: string): void {
    const prefix = `$aws/things/${this.#server.thing}/shadow/name/role/`;
    if (!this.#connected || !topic.startsWith(prefix)) return;
    this.#shadow.take({ type: 'message', tail: topic.slice(prefix.length), body: JSON.parse(payload) });
  }

  #lookAtConnection(): void {
    const { iot } = this.#world;
    const { way, thing } = this.#server;
    if (way.whole) {
      this.#silentSinceMs = undefined;
      if (this.#connected) return;
      this.#connected = true;
      iot.connect(thing, this.#client);
      this.#shadow.take({ type: 'connected' });
      this.#sendHealth();
      return;
    }
    this.#silentSinceMs ??= this.process.nowMs();
    if (!this.#connected || this.process.nowMs() - this.#silentSinceMs < connectionLostMs) return;
    this.#disconnected();
    iot.disconnect(thing, this.#client);
  }

  #disconnected(): void {
    this.#connected = false;
    this.#shadow.take({ type: 'disconnected' });
  }
}

/** The control socket, as `SignerLink` watches it. */
class SignerSocket implements SignerSeen {
  readonly #process: Process;
  #events: SignerLinkEvents | undefined;
  #signer: Signer | undefined;
  #heardAtMs = Number.NEGATIVE_INFINITY;
  #downSinceMs: number | undefined = 0;
  status: SignerStatus | undefined;
  session = 0;

  constructor(process: Process) {
    this.#process = process;
  }

  open(events: SignerLinkEvents): SignerSeen {
    this.#events = events;
    return this;
  }

  get up(): boolean {
    return this.#downSinceMs === undefined && this.#process.nowMs() - this.#heardAtMs < signerSilenceMs;
  }

  get downForMs(): number {
    return this.up ? 0 : this.#process.nowMs() - (this.#downSinceMs ?? this.#heardAtMs);
  }

  start(): void {
    this.#downSinceMs = this.#process.nowMs();
  }

  stop(): void {}

  dial(signer: Signer): void {
    this.#signer = signer;
    let answered = false;
    signer.onStatus((status) =>
      this.#process.deliver(() => {
        if (this.#signer !== signer) return;
        if (!answered) this.session += 1;
        answered = true;
        this.#downSinceMs = undefined;
        this.#heardAtMs = this.#process.nowMs();
        this.status = status;
        this.#events?.onStatus(status);
      }),
    );
  }

  gone(): void {
    this.#signer = undefined;
    this.#downSinceMs ??= this.#process.nowMs();
    this.#events?.onDown('the connection was closed');
  }

  send(request: ControlRequest): void {
    if (!this.#signer || request.type === 'status' || request.type === 'watch') return;
    this.#signer.control(request.type, request.type === 'commit' ? request.height : 0);
  }
}
