/**
 * What must hold after each fault, seen from outside: no position signed twice differently in any journal that was ever
 * written, no evidence against our key on the chain, our validator neither tombstoned nor jailed. The soak and its control run,
 * with signers that guard nothing, use the same.
 */

import { readFileSync } from 'node:fs';
import * as z from 'zod';
import { duplicateVoteEvidence, latestHeight, missedBlocks } from '../chains/observe.ts';
import { runCommand } from '../chains/run-command.ts';
import { findConflicts, readJournal } from '../drill/journals.ts';

export interface SafetyFindings {
  /** Up to this height the chain was looked at. */
  height: number;
  /** Positions with two block ids, in all journals together. */
  conflicts: { height: number; round: number; type: string; blockIds: string[] }[];
  /** Double votes of our key in the chain's blocks. */
  evidence: number;
  tombstoned: boolean;
  jailed: boolean;
  /** Commits without our signature for the block. */
  missedBlocks: number;
}

export interface SafetyCheckOptions {
  /** http://127.0.0.1:port of a node that no fault touches. */
  rpc: string;
  /** The chain's binary; its queries tell of slashing. */
  binary: readonly string[];
  consensusKeyFile: string;
  /** Our validator's consensus address, hex. */
  address: string;
}

const signingInfo = z.object({
  val_signing_info: z.object({ tombstoned: z.boolean().default(false) }),
});
const validatorList = z.object({
  validators: z.array(z.looseObject({ consensus_pubkey: z.unknown(), jailed: z.boolean().default(false) })),
});
const keyFile = z.object({ pub_key: z.object({ value: z.base64() }) });

export class SafetyCheck {
  readonly #options: SafetyCheckOptions;
  readonly #publicKey: string;
  readonly #folders = new Set<string>();
  #lookedTo = 0;
  #missed = 0;
  #evidence = 0;

  constructor(options: SafetyCheckOptions) {
    this.#options = options;
    this.#publicKey = keyFile.parse(JSON.parse(readFileSync(options.consensusKeyFile, 'utf8'))).pub_key.value;
  }

  /** http://127.0.0.1:port of the node that is asked. */
  get rpc(): string {
    return this.#options.rpc;
  }

  /** A folder with a signer's journal; it counts from now on, whatever becomes of its signer. */
  addJournal(folder: string): void {
    this.#folders.add(folder);
  }

  journalFolders(): string[] {
    return [...this.#folders];
  }

  /** @throws ChainRpcError, ChainMakeError where the chain can't be asked: then nothing is known to be well */
  async look(): Promise<SafetyFindings> {
    const { rpc, address } = this.#options;
    const journals = await Promise.all([...this.#folders].map(readJournal));
    const to = (await latestHeight(rpc)) - 1;
    if (to > this.#lookedTo) {
      const from = this.#lookedTo + 1;
      const found = await duplicateVoteEvidence(rpc, from, to);
      const ours = found.filter(
        ({ validatorAddress }) => validatorAddress.toUpperCase() === address.toUpperCase(),
      );
      this.#missed += (await missedBlocks(rpc, address, from, to)).length;
      this.#evidence += ours.length;
      this.#lookedTo = to;
    }
    return {
      height: this.#lookedTo,
      conflicts: findConflicts(journals),
      evidence: this.#evidence,
      ...(await this.#slashing()),
      missedBlocks: this.#missed,
    };
  }

  async #slashing(): Promise<{ tombstoned: boolean; jailed: boolean }> {
    const key = JSON.stringify({ '@type': '/cosmos.crypto.ed25519.PubKey', key: this.#publicKey });
    const [info, validators] = await Promise.all([
      this.#query('slashing', 'signing-info', key),
      this.#query('staking', 'validators'),
    ]);
    const ours = validatorList
      .parse(validators)
      .validators.find(({ consensus_pubkey }) => JSON.stringify(consensus_pubkey).includes(this.#publicKey));
    if (!ours) throw new Error(`the chain knows no validator with our key ${this.#publicKey}`);
    return { tombstoned: signingInfo.parse(info).val_signing_info.tombstoned, jailed: ours.jailed };
  }

  async #query(...args: string[]): Promise<unknown> {
    const { binary, rpc } = this.#options;
    const node = rpc.replace(/^http/, 'tcp');
    return JSON.parse(await runCommand([...binary, 'query', ...args, '--node', node, '--output', 'json']));
  }
}

/** @returns each promise that was not kept, as a sentence; empty: all is well. Pure. */
export function judgeSafety({ conflicts, evidence, tombstoned, jailed }: SafetyFindings): string[] {
  const places = conflicts.map(({ height, round, type }) => `${height}/${round}/${type}`);
  return [
    ...(conflicts.length > 0
      ? [`${conflicts.length} positions were signed twice, differently: ${places.slice(0, 5).join(', ')}`]
      : []),
    ...(evidence > 0 ? [`the chain holds ${evidence} pieces of evidence against our key`] : []),
    ...(tombstoned ? ['our validator is tombstoned'] : []),
    ...(jailed ? ['our validator is jailed'] : []),
  ];
}
