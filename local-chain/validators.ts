/** Who votes at a height, and who proposes. */

import type { Genesis, GenesisValidator } from './genesis.ts';

/** What a chain carries from block to block beside its blocks. */
export interface ChainState {
  /** Height of the block that held the first evidence against our validator; it is out of the set two blocks later. */
  tombstonedAt?: number | undefined;
  /** Names of evidence that is in a block. */
  evidence: string[];
}

/** CometBFT applies a change of the validators two blocks after the block that made it. */
const changeDelayBlocks = 2;

export function isTombstoned(state: ChainState | undefined, height: number): boolean {
  return state?.tombstonedAt !== undefined && height >= state.tombstonedAt + changeDelayBlocks;
}

/** @returns the validators at `height`, in the order of their addresses. */
export function validatorsAt(
  genesis: Genesis,
  state: ChainState | undefined,
  height: number,
): GenesisValidator[] {
  if (!isTombstoned(state, height)) return genesis.validators;
  return genesis.validators.filter(({ address }) => genesis.others.has(address));
}

/** Equal power: everyone's turn comes round. A further round goes to the next. */
export function proposerAt(
  validators: readonly GenesisValidator[],
  height: number,
  round: number,
): GenesisValidator {
  const proposer = validators[(height - 1 + round) % validators.length];
  if (!proposer) throw new Error('a chain without validators has no proposer');
  return proposer;
}
