/** The genesis of a chain for rehearsals: nobody is jailed in it, and a proposal can be lived through. */

import { readFile, writeFile } from 'node:fs/promises';
import * as z from 'zod';

/** Short windows jail a validator within a drill (wasmd's default is 100 blocks); this is the Hub's. */
const signedBlocksWindow = '10000';
const votingPeriod = '30s';
/** The gov module wants it shorter than the voting period. */
const expeditedVotingPeriod = '15s';
const minDeposit = '1000000';
/** The gov module wants it larger than the ordinary deposit. */
const expeditedMinDeposit = '5000000';

const table = z.record(z.string(), z.unknown());

const genesisFile = z.looseObject({
  app_state: z.looseObject({
    staking: z.looseObject({ params: z.looseObject({ bond_denom: z.string().min(1) }) }),
    slashing: z.looseObject({ params: z.looseObject({ signed_blocks_window: z.string() }) }),
    gov: z.looseObject({ params: table.nullish() }),
  }),
});

/**
 * Sets the genesis parameters, before the accounts are added.
 * @returns the staking denomination.
 */
export async function setGenesisParameters(path: string): Promise<string> {
  const genesis = genesisFile.parse(JSON.parse(await readFile(path, 'utf8')));
  const { staking, slashing, gov } = genesis.app_state;
  const denom = staking.params.bond_denom;
  slashing.params.signed_blocks_window = signedBlocksWindow;
  // What this chain's gov module has: expedited proposals came with SDK 0.50.
  const wanted: Record<string, unknown> = {
    voting_period: votingPeriod,
    expedited_voting_period: expeditedVotingPeriod,
    min_deposit: [{ denom, amount: minDeposit }],
    expedited_min_deposit: [{ denom, amount: expeditedMinDeposit }],
  };
  for (const [name, value] of Object.entries(wanted))
    if (gov.params && name in gov.params) gov.params[name] = value;
  await writeFile(path, JSON.stringify(genesis));
  return denom;
}
