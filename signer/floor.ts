/** From where an enrolled signer may sign: above all that anybody may have signed with its key before. */

import { existsSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { roundMax, type SignPosition } from '../protocol/sign-position.ts';
import type { Clock, NodeView } from './core/ports.ts';
import { EnrolError } from './enrol-error.ts';
import { readFormerState } from './import/former-state.ts';

/** Blocks without our signature before a running chain's key is enrolled. */
export const quietBlocks = 10;
/** How far above the chain's height the floor lies: a former signer may have signed the height under way, and the next. */
const heightsAbove = 2;
/** As many of our signatures seen while waiting show that another signer runs and will not stop. */
const signedMax = 20;
const pollMs = 300;
/** The RPC may be away for a moment, not for good. */
const silentMsMax = 60_000;

export interface EnrolProgress {
  /** The height looked at last. */
  height: number;
  /** Blocks in a row without our signature, of `of`. */
  quiet: number;
  of: number;
  /** Whether our signature was in that block. */
  signed: boolean;
}

export interface FloorFrom {
  node: NodeView;
  clock: Clock;
  gaiadHome: string;
  rpc: string;
  chainNotStarted: boolean;
  /** Further states of former signers: CometBFT's priv_validator_state.json, or a `state.json` of Beam. */
  imports: string[];
  onProgress: (progress: EnrolProgress) => void;
  signal: AbortSignal | undefined;
}

/** A whole height is closed: its last round's precommit. */
function closed(height: number): SignPosition {
  return { height, round: roundMax, step: 3 };
}

/** @throws EnrolError */
export async function enrolmentFloor(from: FloorFrom): Promise<SignPosition> {
  const { node, gaiadHome, chainNotStarted, imports, rpc } = from;
  const own = join(gaiadHome, 'data/priv_validator_state.json');
  const files = [...imports, ...(existsSync(own) ? [own] : [])];
  const imported = Math.max(0, ...files.map((file) => readFormerState(file).position.height));
  if (!chainNotStarted) {
    const highest = (await quietHeight(from)) + heightsAbove;
    if (imported > highest) throw aboveChain(files, imported, highest, rpc);
    return closed(highest);
  }
  const committed = await node.committedHeight();
  if (committed !== undefined && committed > 0) {
    throw new EnrolError(
      `the chain has started: ${rpc} is at height ${committed}; enrol without --chain-not-started, which waits for ${quietBlocks} blocks without our signature`,
    );
  }
  if (committed === undefined) await checkNeverRan(gaiadHome);
  if (imported > 0) {
    throw new EnrolError(
      `${files.find((file) => readFormerState(file).position.height > 0)} shows that this key has signed up to height ${imported}: the chain has started; enrol without --chain-not-started`,
    );
  }
  return closed((await initialHeight(join(gaiadHome, 'config/genesis.json'))) - 1);
}

/** No signer of this chain came that far. As a floor it would stand for good, and nothing be signed before the chain passed it. */
function aboveChain(files: string[], imported: number, highest: number, rpc: string): EnrolError {
  const path = files.find((file) => readFormerState(file).position.height === imported);
  return new EnrolError(
    `${path} shows a signature at height ${imported}, and nobody can have signed above ${highest} on the chain of ${rpc}: it is another chain's state, or the chain was set back; give this chain's state, or wait until the chain has passed it`,
  );
}

function silentNode(rpc: string): string {
  return `${rpc} does not answer, or its node still catches up: enrolment needs a node at the head of the chain; start gaiad and wait until it is`;
}

/** Waits. @returns the chain's height after `quietBlocks` blocks without our signature. @throws EnrolError */
async function quietHeight({ node, clock, rpc, onProgress, signal }: FloorFrom): Promise<number> {
  let looked: number | undefined;
  let quiet = 0;
  let signedSeen = 0;
  let heardMs = clock.now();
  while (quiet < quietBlocks) {
    if (signal?.aborted) throw new EnrolError('the enrolment was broken off; nothing was written');
    const committed = await node.committedHeight();
    if (committed !== undefined) heardMs = clock.now();
    else if (clock.now() - heardMs > silentMsMax) {
      throw new EnrolError(silentNode(rpc));
    }
    looked ??= committed;
    // The newest commit is what this node happened to see of it; the one before is the chain's.
    while (committed !== undefined && looked !== undefined && looked + 1 < committed && quiet < quietBlocks) {
      const look = await node.ourSignatureAt(looked + 1);
      if (look === 'unknown') break;
      looked += 1;
      quiet = look === 'absent' ? quiet + 1 : 0;
      signedSeen += look === 'signed' ? 1 : 0;
      onProgress({ height: looked, quiet, of: quietBlocks, signed: look === 'signed' });
      if (signedSeen >= signedMax) {
        throw new EnrolError(
          `another signer signs with this key (our signature is in block ${looked}); stop it, then enrol: two signers are a double sign`,
        );
      }
    }
    if (quiet < quietBlocks) await clock.sleep(pollMs, signal);
  }
  for (;;) {
    const committed = await node.committedHeight();
    if (committed !== undefined) return Math.max(looked ?? 0, committed);
    if (signal?.aborted || clock.now() - heardMs > silentMsMax) throw new EnrolError(silentNode(rpc));
    await clock.sleep(pollMs, signal);
  }
}

/** How long after its genesis time a chain may still wait for its first block. */
const genesisAgeMsMax = 24 * 3600 * 1000;

/** With no node to ask, `--chain-not-started` is believed only where nothing speaks against it. @throws EnrolError */
async function checkNeverRan(gaiadHome: string): Promise<void> {
  const remedy = 'start gaiad and enrol again: its RPC tells how far the chain is';
  for (const name of ['data/blockstore.db', 'data/state.db']) {
    if (existsSync(join(gaiadHome, name))) {
      throw new EnrolError(`${join(gaiadHome, name)} shows that this node has run; ${remedy}`);
    }
  }
  const genesis = join(gaiadHome, 'config/genesis.json');
  const time = Date.parse((await inGenesis(genesis, /"genesis_time"\s*:\s*"([^"]{1,40})"/)) ?? '');
  if (Date.now() - time > genesisAgeMsMax) {
    throw new EnrolError(
      `${genesis} has the genesis time ${new Date(time).toISOString()}: the chain has started by now; ${remedy}`,
    );
  }
}

async function initialHeight(genesis: string): Promise<number> {
  const text = await inGenesis(genesis, /"initial_height"\s*:\s*"?(\d{1,15})"?\s*[,}]/);
  return Math.max(1, Number(text ?? 1));
}

/** What the pattern's group finds, without reading a genesis of gigabytes at once. */
async function inGenesis(genesis: string, pattern: RegExp): Promise<string | undefined> {
  if (!existsSync(genesis)) return undefined;
  const handle = await open(genesis, 'r');
  try {
    let tail = '';
    for await (const chunk of handle.createReadStream({ encoding: 'utf8', highWaterMark: 1 << 20 })) {
      const match = pattern.exec(tail + chunk);
      if (match?.[1]) return match[1];
      tail = String(chunk).slice(-128);
    }
    return undefined;
  } finally {
    await handle.close();
  }
}
