/** One server of a simulated fleet: its disk, its network, and the three processes on it, which are started again when they die. */

import { Waker } from '../../signer/core/within.ts';
import type { Ask } from '../../signer/rehearsal/requests.ts';
import { Node } from '../chain/node.ts';
import { ServerDisk } from '../world/disk.ts';
import { Way } from '../world/network.ts';
import { type MachineClock, Process } from '../world/process.ts';
import type { Host } from './host.ts';
import { Pilot } from './pilot.ts';
import { Signer } from './signer.ts';
import type { World } from './world.ts';

/** How long a node waits for an answer before it drops its signer (CometBFT: 5 s), and then asks again. */
const answerMsMax = 5_000;
const asksMax = 2;
/** For a signer to dial in. */
const signerWaitMs = 2_000;
const signerLookMs = 100;
const restartMs = { signer: 400, pilot: 900, node: 1_600 };

export type Part = 'signer' | 'pilot' | 'node';

export class Server implements Host {
  readonly name: string;
  readonly thing: string;
  readonly zone: string;
  readonly machineId: string;
  readonly clock: MachineClock = { rate: 1, wallOffMs: 0 };
  readonly disk: ServerDisk;
  /** To the cloud: DynamoDB and MQTT alike. */
  readonly way: Way;
  readonly #world: World;
  signer: Signer | undefined;
  pilot: Pilot | undefined;
  node: { process: Process; model: Node } | undefined;
  /** Whether the chain's other nodes are reached. */
  p2p = true;
  rpcUp = true;
  /** Off: nothing is started again. */
  on = false;
  #nodeHeight = 0;

  constructor(world: World, as: { name: string; thing: string; zone: string; machineId: string }) {
    this.#world = world;
    this.name = as.name;
    this.thing = as.thing;
    this.zone = as.zone;
    this.machineId = as.machineId;
    this.disk = new ServerDisk(world.chance);
    this.way = new Way(world, world.network);
  }

  powerOn(): void {
    this.on = true;
    for (const part of ['signer', 'pilot', 'node'] as const) this.#start(part);
  }

  /** Everything on it ends at once. @param power lost with it: what was not synced may be gone */
  powerOff(power: boolean): void {
    this.on = false;
    for (const process of this.#processes()) process.kill();
    if (power) this.disk.losePower();
  }

  kill(part: Part): void {
    this.#processOf(part)?.kill();
  }

  freeze(parts: readonly Part[]): void {
    for (const part of parts) this.#processOf(part)?.freeze();
  }

  wake(): void {
    for (const process of this.#processes()) process.wake();
  }

  #processOf(part: Part): Process | undefined {
    return part === 'node' ? this.node?.process : this[part]?.process;
  }

  #processes(): Process[] {
    return [this.pilot?.process, this.signer?.process, this.node?.process].filter((one) => one !== undefined);
  }

  #start(part: Part): void {
    if (!this.on || this.#processOf(part)) return;
    if (part === 'signer') this.#startSigner();
    else if (part === 'pilot') this.#startPilot();
    else this.#startNode();
  }

  #startAgain(part: Part): void {
    const { scheduler, chance, trace } = this.#world;
    trace(`${this.name} ${part} died`);
    // gaiad is its pilot's to start.
    const start = () => {
      if (part === 'node' && this.on && !this.pilot) scheduler.after(restartMs.node, start);
      else this.#start(part);
    };
    scheduler.after(restartMs[part] * (0.5 + chance.next()), start);
  }

  #startSigner(): void {
    const signer = new Signer(this.#world, this, () => {
      this.signer = undefined;
      this.pilot?.signerGone();
      this.#startAgain('signer');
    });
    this.signer = signer;
    void signer.start().then(
      () => this.pilot?.beside(signer),
      () => signer.process.kill(),
    );
  }

  #startPilot(): void {
    const pilot = new Pilot(this.#world, this, () => {
      this.pilot = undefined;
      this.#startAgain('pilot');
    });
    this.pilot = pilot;
    pilot.start();
    if (this.signer) pilot.beside(this.signer);
  }

  #startNode(): void {
    const world = this.#world;
    const process = new Process(`${this.name} node`, world, this.clock, () => {
      this.#nodeHeight = this.node?.model.committed ?? this.#nodeHeight;
      this.node = undefined;
      this.signer?.connection(false);
      this.#startAgain('node');
    });
    const model = new Node(
      {
        process,
        chain: world.chain,
        chance: world.chance,
        rates: () => world.nodes,
        reachesChain: () => this.p2p && this.on,
        ask: (ask) => this.#ask(process, ask),
        onCommit: (height) => this.pilot?.committed(height),
        name: this.name,
        extensions: world.extensions,
      },
      this.#nodeHeight,
    );
    this.node = { process, model };
    this.signer?.connection(true);
    model.start();
  }

  async #ask(node: Process, ask: Ask): Promise<boolean> {
    for (let asked = 0; asked < asksMax; asked++) {
      for (let waitedMs = 0; !this.signer && waitedMs < signerWaitMs; waitedMs += signerLookMs) {
        await node.sleep(signerLookMs);
      }
      const { signer } = this;
      if (!signer) return false;
      const answered = new Waker();
      const answer = await Promise.race([
        signer.ask(ask),
        node.sleep(answerMsMax, answered).then(() => 'silence' as const),
      ]);
      answered.wake();
      await node.gate(undefined);
      if (answer !== 'silence') return 'signed' in answer;
    }
    return false;
  }
}
