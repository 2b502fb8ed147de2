/** `beam signer …`: the signer of this server. */

import { type Command, Option } from 'commander';
import { examples, run, wholeNumber } from '../command-line.ts';
import type {
  DryRunOptions,
  EncryptKeyOptions,
  EnrolOptions,
  HomeOptions,
  JournalOptions,
} from '../options.ts';
import { addMoves } from './signer-moves.ts';

const homeHelp = "this server's Beam home (default: $BEAM_HOME, else ~/.beam)";

export function addSigner(program: Command): void {
  const signer = program
    .command('signer')
    .summary("the signer of this server: gaiad's remote signer")
    .description(
      'The signer holds the consensus key and signs for gaiad, by what the sign record says: the one item that says who ' +
        'may sign. A fleet is enrolled once, its other servers join.',
    );
  signer
    .command('start')
    .summary('run the signer')
    .description('Runs the signer in the foreground, as a service would.')
    .option('--home <dir>', homeHelp)
    .action(
      run(async (options: HomeOptions) => {
        const { runSigner } = await import('../run-signer.ts');
        return runSigner(options);
      }),
    );
  addDryRun(signer);
  addEnrol(signer);
  addMoves(signer);
  addEncryptKey(signer);
  signer
    .command('join')
    .summary('pin the sign record that another server enrolled')
    .description('For a further server of a fleet whose key is enrolled: pins record, key and chain id here.')
    .option('--home <dir>', homeHelp)
    .option('--dry-run', 'tell what would be pinned, write nothing')
    .option('--json', 'as JSON')
    .action(
      run(async (options: HomeOptions) => {
        const { joinRecord } = await import('../run-signer.ts');
        return joinRecord(options);
      }),
    );
  signer
    .command('status')
    .summary('what the signer of this server says of itself')
    .description(
      "Asks this server's signer: its state, epoch, the record as it last read it, and the holder's beat.",
    )
    .option('--home <dir>', homeHelp)
    .option('--json', 'as JSON')
    .addHelpText('after', '\nExit code: 0 where it is active, standby or under the local guard; 1 else.\n')
    .action(
      run(async (options: HomeOptions) => {
        const { showSigner } = await import('../run-signer.ts');
        return showSigner(options);
      }),
    );
  signer
    .command('journal')
    .summary('what was signed')
    .description(
      "Lists the signatures that this server's signer released; with --compare, the positions at which several signers " +
        'released different blocks: there must be none.',
    )
    .option('--home <dir>', homeHelp)
    .option('--last <n>', 'the last so many', wholeNumber(1, 1_000_000), 20)
    .option('--compare <homes...>', 'further Beam homes, or copies of them')
    .option('--json', 'as JSON')
    .addHelpText(
      'after',
      examples('beam signer journal --last 6', 'beam signer journal --home ./nodes/a --compare ./nodes/b'),
    )
    .action(
      run(async (options: JournalOptions) => {
        const { showJournal } = await import('../run-signer.ts');
        return showJournal(options);
      }),
    );
}

function addEncryptKey(signer: Command): void {
  signer
    .command('encrypt-key')
    .summary('encrypt the consensus key under a passphrase')
    .description(
      "Makes an encrypted key file of this server's priv_validator_key.json (scrypt and AES-256-GCM), and opens it again " +
        'before it says so. The plain file stays where it is, for you to remove. Then set [signer] key and passphrase.',
    )
    .option('--home <dir>', homeHelp)
    .option('--from <file>', "the plain key (default: config.toml's [signer] key)")
    .option('--out <file>', 'the encrypted one (default: beside it, as priv_validator_key.encrypted.json)')
    .requiredOption(
      '--passphrase <source>',
      "'fd:NUMBER' or 'credential:NAME' (systemd): never the passphrase itself, which other processes would see",
    )
    .option('--json', 'as JSON')
    .addHelpText(
      'after',
      examples(
        'beam signer encrypt-key --passphrase fd:3 3< <(systemd-ask-password)',
        'beam signer encrypt-key --passphrase fd:3 3< passphrase.txt',
      ),
    )
    .action(
      run(async (options: EncryptKeyOptions) => {
        const { encryptKey } = await import('../run-signer.ts');
        return encryptKey(options);
      }),
    );
}

function addDryRun(signer: Command): void {
  signer
    .command('dry-run')
    .summary('run the signer without a key, and report what it would have signed')
    .description(
      'In mode "dry-run" the signer has no key and signs nothing: it puts each signature of the present signer, as the ' +
        "node's events show it, before Beam's guard with a sign record of its own, and compares with the chain. Without " +
        '--report it runs in the foreground, as `beam signer start` does in that mode.',
    )
    .option('--home <dir>', homeHelp)
    .option('--report', 'what it found so far')
    .option('--json', 'as JSON, with --report')
    .addHelpText(
      'after',
      `${examples('beam signer dry-run --report')}\nExit code of --report: 0 where nothing stands against trusting Beam with the key, 1 else.\n`,
    )
    .action(
      run(async (options: DryRunOptions) => {
        const { dryRun } = await import('../run-dry-run.ts');
        return dryRun(options);
      }),
    );
}

function addEnrol(signer: Command): void {
  signer
    .command('enrol')
    .summary("make this validator's key known, once")
    .description(
      'Writes the sign record of this consensus key, once, and pins guard, record, key and chain id here. Nothing at or ' +
        'below its floor is ever signed: the floor is at or above every imported state and the chain. On a running ' +
        'chain it waits for 10 blocks without our signature, so that no other signer still runs.',
    )
    .option('--home <dir>', homeHelp)
    .addOption(
      new Option('--guard <guard>', "'record': a fleet, by the sign record; 'local': this server alone")
        .choices(['record', 'local'])
        .default('record'),
    )
    .option('--chain-not-started', 'the chain has no block yet: nothing to wait for')
    .option(
      '--import <files...>',
      'states of former signers: priv_validator_state.json (of CometBFT, tmkms or Horcrux), or a state.json of Beam',
    )
    .option('--yes', 'do not ask')
    .option('--dry-run', 'find the floor, tell what would be written, write nothing')
    .option('--json', 'as JSON; asks nothing, so give --yes')
    .addHelpText(
      'after',
      examples(
        'beam signer enrol --dry-run',
        'beam signer enrol --import ~/.gaia/data/priv_validator_state.json',
      ),
    )
    .action(
      run(async (options: EnrolOptions) => {
        const { enrolKey } = await import('../run-signer.ts');
        return enrolKey(options);
      }),
    );
}
