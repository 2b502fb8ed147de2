/** `beam signer import|export|doctor`: the way in from other signers, the way out to them, and a look at all between. */

import { type Command, Option } from 'commander';
import { exportTools } from '../../signer/export/state-formats.ts';
import { importSources } from '../../signer/import/former-key.ts';
import { examples, run } from '../command-line.ts';
import type { DoctorOptions, ExportOptions, ImportOptions } from '../options.ts';

const homeHelp = "this server's Beam home (default: $BEAM_HOME, else ~/.beam)";

export function addMoves(signer: Command): void {
  addImport(signer);
  addExport(signer);
  addDoctor(signer);
}

function addExport(signer: Command): void {
  signer
    .command('export')
    .summary('give the key up to another tool, for good')
    .description(
      'Seals the sign record (under the local guard: the state of this signer): from that moment no server of the fleet signs ' +
        'with this key, and nothing undoes it. Then writes, into a new folder, the state for the other tool, with a floor at or ' +
        'above all that record and machine know, and last the key. Broken off, it goes on when it is run again with the ' +
        'same folder. Under the local guard the signer must be stopped first.',
    )
    .option('--home <dir>', homeHelp)
    .requiredOption('--out <dir>', 'a new folder; mode 0700')
    .addOption(
      new Option('--for <tool>', 'what signs next: the form of the state')
        .choices([...exportTools])
        .default('filepv'),
    )
    .option(
      '--state-only',
      'the key stays where it is (AWS KMS, or the shares that it came from): the state alone',
    )
    .option(
      '--credentials <file>',
      "an administrator's AWS shared credentials file, where this server's own may not seal",
    )
    .option('--yes', 'do not ask')
    .option('--dry-run', 'tell what would be sealed and written, write nothing')
    .option('--json', 'as JSON; asks nothing, so give --yes')
    .addHelpText(
      'after',
      examples('beam signer export --out ./out --dry-run', 'beam signer export --out ./out --for tmkms'),
    )
    .action(
      run(async (options: ExportOptions) => {
        const { exportSigner } = await import('../run-signer-export.ts');
        return exportSigner(options);
      }),
    );
}

function addImport(signer: Command): void {
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

function addDoctor(signer: Command): void {
  signer
    .command('doctor')
    .summary('look at everything on which signing here leans')
    .description(
      'Who else on this machine holds the key, permissions, clock, disk, guard, sign record, node and chain: each finding with ' +
        'its remedy. Reads, and writes nothing but some short-lived files of its own in the state folder, to time the disk.',
    )
    .option('--home <dir>', homeHelp)
    .option('--look <dirs...>', 'further folders in which to look for copies of the key')
    .option('--json', 'as JSON')
    .addHelpText(
      'after',
      '\nExit code: 0 where all is well, 3 where something is unknown or wants a look, 1 where it is critical.\n',
    )
    .action(
      run(async (options: DoctorOptions) => {
        const { runDoctor } = await import('../run-signer-doctor.ts');
        return runDoctor(options);
      }),
    );
}
