/** The stand-in chain as processes, asked over its RPC, with signers of the tests' own. */

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import * as z from 'zod';
import { addressOf, validatorKeyFile } from '../local-chain/keys.ts';
import { freePorts } from '../local-fleet/processes/ports.ts';
import { type Decision, TestSigner } from './test-signer.ts';

const script = join(process.env.BEAM_BUNDLES ?? '', 'stand-in-chain.js');
export const chainId = 'standin-1';

const made = z.object({
  standIn: z.literal(true),
  chainId: z.literal(chainId),
  keyFile: z.string(),
  homes: z.record(z.string(), z.object({ home: z.string(), nodeId: z.string() })),
});

export interface TestNode {
  name: string;
  home: string;
  nodeId: string;
  p2pPort: number;
  rpc: string;
  socket: string;
}

export interface Started {
  child: ChildProcess;
  output(): string;
  exited: Promise<number | null>;
}

/** A chain in a folder of its own, and all that was started of it. */
export class TestChain {
  readonly keyFile: string;
  readonly seed: Buffer;
  /** Of our validator. */
  readonly address: string;
  readonly #folder: string;
  readonly #nodes: readonly TestNode[];
  readonly #processes: ChildProcess[] = [];
  readonly #signers: TestSigner[] = [];

  private constructor(folder: string, keyFile: string, nodes: readonly TestNode[]) {
    const key = validatorKeyFile.parse(JSON.parse(readFileSync(keyFile, 'utf8')));
    this.#folder = folder;
    this.#nodes = nodes;
    this.keyFile = keyFile;
    this.seed = key.seed;
    this.address = addressOf(key.publicKey);
  }

  /** Makes a chain for as long as `use` takes, then ends what was started of it. */
  static async use(
    names: readonly string[],
    blockSeconds: number,
    use: (chain: TestChain) => Promise<void>,
  ): Promise<void> {
    const folder = mkdtempSync(join(tmpdir(), 'beam-stand-in-'));
    let chain: TestChain | undefined;
    try {
      chain = await TestChain.#make(folder, names, blockSeconds);
      await use(chain);
    } finally {
      if (chain) await chain.#end();
      rmSync(folder, { recursive: true, force: true });
    }
  }

  static async #make(folder: string, names: readonly string[], blockSeconds: number): Promise<TestChain> {
    const ports = await freePorts(2 * names.length);
    const specs = names.map((name, index) => ({
      name,
      p2pPort: ports[2 * index] ?? 0,
      rpcPort: ports[2 * index + 1] ?? 0,
      validator: true,
    }));
    const out = join(folder, 'chain');
    const args = ['make', '--out', out, '--chain-id', chainId, '--block-seconds', String(blockSeconds)];
    const all = [script, ...args, '--nodes', JSON.stringify(specs), '--json'];
    const { stdout } = await promisify(execFile)(process.execPath, all);
    const { keyFile, homes } = made.parse(JSON.parse(stdout));
    const nodes = specs.map(({ name, p2pPort, rpcPort }) => {
      const { home, nodeId } = homes[name] ?? { home: '', nodeId: '' };
      const rpc = `http://127.0.0.1:${rpcPort}`;
      return { name, home, nodeId, p2pPort, rpc, socket: join(folder, `${name}.sock`) };
    });
    return new TestChain(folder, keyFile, nodes);
  }

  async #end(): Promise<void> {
    for (const signer of this.#signers) signer.stop();
    const running = this.#processes.filter(
      ({ exitCode, signalCode }) => exitCode === null && signalCode === null,
    );
    await Promise.all(
      running.map(async (child) => {
        const exited = once(child, 'exit');
        child.kill('SIGKILL');
        await exited;
      }),
    );
  }

  node(name: string): TestNode {
    const found = this.#nodes.find((node) => node.name === name);
    if (!found) throw new Error(`no node ${name} in ${this.#folder}`);
    return found;
  }

  startNode({ home }: TestNode, ...flags: string[]): Started {
    const child = spawn(process.execPath, [script, 'start', '--home', home, ...flags]);
    this.#processes.push(child);
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        output += chunk.toString();
      });
    }
    // Not at `exit`: its last words may not have been read by then.
    return { child, output: () => output, exited: new Promise((resolve) => child.once('close', resolve)) };
  }

  /** A signer with the chain's key for that node. */
  startSigner({ socket }: TestNode, decide?: () => Decision): TestSigner {
    const signer = new TestSigner({ seed: this.seed, path: socket, chainId, ...(decide ? { decide } : {}) });
    this.#signers.push(signer.start());
    return signer;
  }

  /** A node with a signer: the socket's file of an earlier run is removed first, as a pilot does. */
  startValidator(name: string, decide?: () => Decision): Started & { signer: TestSigner } {
    const node = this.node(name);
    rmSync(node.socket, { force: true });
    setConfig(node, { priv_validator_laddr: `unix://${node.socket}` });
    const signer = this.startSigner(node, decide);
    return { ...this.startNode(node), signer };
  }

  /** In how many commits of these heights our validator is. */
  async signedFrom(node: TestNode, from: number, to: number): Promise<number> {
    let signed = 0;
    for (let height = from; height <= to; height++) if (await this.signedBy(node, height)) signed++;
    return signed;
  }

  async signedBy(node: TestNode, height: number): Promise<boolean> {
    const { signed_header } = await rpc(node, `commit?height=${height}`, commitShape);
    return signed_header.commit.signatures.some(
      ({ block_id_flag, validator_address }) => block_id_flag === 2 && validator_address === this.address,
    );
  }
}

/** Changes `key = …` of config.toml, in whatever table it stands first. */
export function setConfig({ home }: TestNode, settings: Record<string, string | boolean | number>): void {
  const path = join(home, 'config/config.toml');
  let text = readFileSync(path, 'utf8');
  for (const [key, value] of Object.entries(settings)) {
    text = text.replace(new RegExp(`^${key} = .*$`, 'm'), `${key} = ${JSON.stringify(value)}`);
  }
  writeFileSync(path, text);
}

const rpcResult = z.object({ result: z.unknown() });
export async function rpc<T>(node: TestNode, path: string, schema: z.ZodType<T>): Promise<T> {
  const response = await fetch(`${node.rpc}/${path}`);
  return schema.parse(rpcResult.parse(await response.json()).result);
}

const statusShape = z.object({
  node_info: z.object({ version: z.string(), id: z.string() }),
  sync_info: z.object({ latest_block_height: z.string().transform(Number), catching_up: z.boolean() }),
});
export const status = (node: TestNode) => rpc(node, 'status', statusShape);
export const heightOf = async (node: TestNode) => (await status(node)).sync_info.latest_block_height;

export const commitShape = z.object({
  canonical: z.boolean(),
  signed_header: z.object({
    commit: z.object({
      round: z.number(),
      signatures: z.array(z.object({ block_id_flag: z.number(), validator_address: z.string() })),
    }),
  }),
});

/** A condition that throws does not hold yet. */
export async function holds(condition: () => Promise<boolean> | boolean, timeoutMs = 15_000): Promise<void> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    const held = await Promise.resolve()
      .then(condition)
      .catch(() => false);
    if (held) return;
    if (performance.now() > end) throw new Error(`not within ${timeoutMs} ms: ${condition.toString()}`);
    await delay(50);
  }
}
export const reaches = (node: TestNode, height: number) =>
  holds(async () => (await heightOf(node)) >= height);
