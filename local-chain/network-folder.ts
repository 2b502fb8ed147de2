/**
 * The folder that plays the network between the processes of one stand-in chain.
 *
 *     live/<height>.<round>.json    a round's proposal, or that it had none
 *     live/<height>.decided         wakes those that wait for the block
 *     blocks/<bucket>/<height>.json a decided block
 *     votes/<height>/<round>.<type>.<block>.json   our validator's votes, one file for each distinct block
 *     evidence/<height>.<round>.<type>.json        two of them
 *     tip                           a recent height: where to begin to look
 *
 * A file appears whole, once, and never changes (but `tip`): it is written beside and linked to its name, so of two
 * writers one wins, and a process that is killed or frozen at any point holds nothing up.
 */

import { EventEmitter } from 'node:events';
import {
  existsSync,
  type FSWatcher,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  unlinkSync,
  watch,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import * as z from 'zod';
import {
  blockIdJson,
  blockJson,
  commitSigJson,
  type EvidenceJson,
  evidenceJson,
  type VoteJson,
  voteJson,
} from './chain-json.ts';

const roundFile = z.union([
  z.object({ proposedAt: z.number(), blockId: blockIdJson, block: blockJson }),
  z.object({ failedAt: z.number() }),
]);
export type RoundFile = z.infer<typeof roundFile>;
export type Proposed = Extract<RoundFile, { proposedAt: number }>;

const decidedFile = z.object({
  height: z.number().int(),
  round: z.number().int(),
  /** ms */
  decidedAt: z.number(),
  blockId: blockIdJson,
  block: blockJson,
  /** The simulated validators' precommits. */
  otherPrecommits: z.array(commitSigJson),
  /** After this block. */
  state: z.object({ tombstonedAt: z.number().int().optional(), evidence: z.array(z.string()) }),
});
export type DecidedBlock = z.infer<typeof decidedFile>;

const bucketBlocks = 1000;
const blocksKeptMin = 20_000;
const livesKept = 50;
const voteHeightsKept = 200;
const cachedBlocksMax = 64;
/** How often waiting processes look by themselves where the file system tells nothing. */
const unwatchedPollMs = 50;

const hasCode = (error: unknown, code: string): boolean =>
  typeof error === 'object' && error !== null && 'code' in error && error.code === code;

export class NetworkFolder {
  readonly #root: string;
  readonly #changes = new EventEmitter().setMaxListeners(100);
  readonly #cache = new Map<number, DecidedBlock>();
  #watcher: FSWatcher | undefined;
  #written = 0;
  #tip = 0;

  constructor(root: string) {
    this.#root = root;
  }

  start(): void {
    for (const folder of ['live', 'blocks', 'votes', 'evidence', 'tmp']) {
      mkdirSync(join(this.#root, folder), { recursive: true });
    }
    try {
      this.#watcher = watch(join(this.#root, 'live'), () => this.#changes.emit('change'));
      this.#watcher.on('error', () => this.#watcher?.close());
    } catch {
      // Out of inotify watches: `changed` polls.
    }
  }

  stop(): void {
    this.#watcher?.close();
  }

  /** Resolves at the next change, after `timeoutMs`, or when `signal` aborts; whichever comes first. */
  changed(timeoutMs: number, signal: AbortSignal): Promise<void> {
    const waitMs = Math.max(0, this.#watcher ? timeoutMs : Math.min(timeoutMs, unwatchedPollMs));
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#changes.off('change', done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, waitMs);
      this.#changes.on('change', done);
      signal.addEventListener('abort', done);
      if (signal.aborted) done();
    });
  }

  /** Wakes whoever waits in this process. */
  wake(): void {
    this.#changes.emit('change');
  }

  /** @returns the height of the last decided block; 0 before the first. */
  tip(): number {
    if (this.#tip === 0) this.#tip = Number.parseInt(this.#read('tip') ?? '0', 10) || 0;
    // The hint may be behind, never ahead.
    while (existsSync(this.#blockPath(this.#tip + 1))) this.#tip++;
    return this.#tip;
  }

  earliest(): number {
    const buckets = this.#list('blocks').map(Number).filter(Number.isInteger);
    return buckets.length === 0 ? 0 : Math.max(1, Math.min(...buckets) * bucketBlocks);
  }

  block(height: number): DecidedBlock | undefined {
    const cached = this.#cache.get(height);
    if (cached) return cached;
    const text = this.#readPath(this.#blockPath(height));
    if (text === undefined) return undefined;
    const block = decidedFile.parse(JSON.parse(text));
    this.#cache.set(height, block);
    for (const oldest of this.#cache.keys()) {
      if (this.#cache.size <= cachedBlocksMax) break;
      this.#cache.delete(oldest);
    }
    return block;
  }

  round(height: number, round: number): RoundFile | undefined {
    const text = this.#read('live', `${height}.${round}.json`);
    return text === undefined ? undefined : roundFile.parse(JSON.parse(text));
  }

  rounds(height: number): RoundFile[] {
    const found: RoundFile[] = [];
    for (;;) {
      const next = this.round(height, found.length);
      if (next) found.push(next);
      if (!next || 'proposedAt' in next) return found;
    }
  }

  /** @returns false where the round already has its outcome. */
  writeRound(height: number, round: number, outcome: RoundFile): boolean {
    return this.#create(join(this.#root, 'live', `${height}.${round}.json`), JSON.stringify(outcome));
  }

  /** @returns false where the height is already decided. */
  writeBlock(block: DecidedBlock): boolean {
    const path = this.#blockPath(block.height);
    mkdirSync(dirname(path), { recursive: true });
    if (!this.#create(path, JSON.stringify(block))) return false;
    this.#create(join(this.#root, 'live', `${block.height}.decided`), '');
    const hint = this.#temporary(String(block.height));
    renameSync(hint, join(this.#root, 'tip'));
    if (block.height % livesKept === 0) this.#prune(block.height);
    return true;
  }

  /** Our validator's votes of one type in one round, one for each distinct block. */
  votes(height: number, round: number, type: number): VoteJson[] {
    const folder = join(this.#root, 'votes', String(height));
    return this.#list('votes', String(height))
      .filter((name) => name.startsWith(`${round}.${type}.`))
      .flatMap((name) => {
        const text = this.#readPath(join(folder, name));
        return text === undefined ? [] : [voteJson.parse(JSON.parse(text))];
      });
  }

  /** Only votes whose signature holds: the network carries no others. */
  addVote(vote: VoteJson): void {
    const folder = join(this.#root, 'votes', vote.height);
    mkdirSync(folder, { recursive: true });
    const block = vote.block_id.hash.slice(0, 16) || 'nil';
    this.#create(join(folder, `${vote.round}.${vote.type}.${block}.json`), JSON.stringify(vote));
  }

  evidence(): { name: string; evidence: EvidenceJson }[] {
    return this.#list('evidence').flatMap((name) => {
      const text = this.#read('evidence', name);
      return text === undefined ? [] : [{ name, evidence: evidenceJson.parse(JSON.parse(text)) }];
    });
  }

  addEvidence(evidence: EvidenceJson): boolean {
    const { height, round, type } = evidence.value.vote_a;
    return this.#create(
      join(this.#root, 'evidence', `${height}.${round}.${type}.json`),
      JSON.stringify(evidence),
    );
  }

  #blockPath(height: number): string {
    return join(this.#root, 'blocks', String(Math.floor(height / bucketBlocks)), `${height}.json`);
  }

  #list(...path: string[]): string[] {
    try {
      return readdirSync(join(this.#root, ...path)).sort();
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return [];
      throw error;
    }
  }

  #read(...path: string[]): string | undefined {
    return this.#readPath(join(this.#root, ...path));
  }

  #readPath(path: string): string | undefined {
    try {
      return readFileSync(path, 'utf8');
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return undefined;
      throw error;
    }
  }

  #temporary(content: string): string {
    const path = join(this.#root, 'tmp', `${process.pid}.${this.#written++}`);
    writeFileSync(path, content);
    return path;
  }

  #create(path: string, content: string): boolean {
    const temporary = this.#temporary(content);
    try {
      linkSync(temporary, path);
      return true;
    } catch (error) {
      if (hasCode(error, 'EEXIST')) return false;
      throw error;
    } finally {
      unlinkSync(temporary);
    }
  }

  /** Several processes may do this at once. */
  #prune(height: number): void {
    const remove = (before: number, ...path: string[]) => {
      for (const name of this.#list(...path)) {
        if (Number.parseInt(name, 10) < before)
          rmSync(join(this.#root, ...path, name), { recursive: true, force: true });
      }
    };
    remove(height - livesKept, 'live');
    remove(height - voteHeightsKept, 'votes');
    remove(Math.floor((height - blocksKeptMin) / bucketBlocks), 'blocks');
  }
}
