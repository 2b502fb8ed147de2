/** `beam signer import`: the way in from other signers. */

import { type Command, Option } from 'commander';
import { importSources } from '../../signer/import/former-key.ts';
import { examples, run } from '../command-line.ts';
import type { ImportOptions } from '../options.ts';

const homeHelp = "this server's Beam home (default: $BEAM_HOME, else ~/.beam)";

export function addMoves(signer: Command): void {
  signer
    .command('import')
    .summary('take over key and state from FilePV, tmkms or Horcrux')
    .description(
      'Reads key and states of the former signer, shows what it found, puts the key where config.toml says (mode 0600, never ' +
        'over another one), and enrols it: the floor is at or above every state and the chain, once 10 blocks have passed ' +
        'without our signature. Broken off, it goes on when it is run again. The former signer must be stopped for ever.',
    )
    .option('--home <dir>', homeHelp)
    .addOption(
      new Option('--from <signer>', 'what signs so far').choices([...importSources]).makeOptionMandatory(),
    )
    .requiredOption(
      '--key <files...>',
      'priv_validator_key.json; the softsign key of tmkms; or the share files of Horcrux, as many as its threshold or more',
    )
    .option(
      '--state <files...>',
      'how far it signed: priv_validator_state.json, the state_file of tmkms, or each state of Horcrux',
    )
    .option('--without-state', 'there is no state to be had: the chain alone sets the floor')
    .addOption(
      new Option('--guard <guard>', "'record': a fleet, by the sign record; 'local': this server alone")
        .choices(['record', 'local'])
        .default('record'),
    )
    .option('--chain-not-started', 'the chain has no block yet: nothing to wait for')
    .option('--yes', 'do not ask')
    .option('--dry-run', 'find key and floor, tell what would be written, write nothing')
    .option('--json', 'as JSON; asks nothing, so give --yes')
    .addHelpText(
      'after',
      examples(
        'beam signer import --from filepv --key old/priv_validator_key.json --state old/priv_validator_state.json --dry-run',
        'beam signer import --from horcrux --key c1/hub_shard.json c2/hub_shard.json --state c*/state/hub_*.json',
      ),
    )
    .action(
      run(async (options: ImportOptions) => {
        const { importFormer } = await import('../run-signer-import.ts');
        return importFormer(options);
      }),
    );
}
