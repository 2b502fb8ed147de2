/** Commands of one server: `beam init`, `start`, `status`, `reset`. */

import { type Command, Option } from 'commander';
import { stage } from '../../protocol/stages.ts';
import { examples, run, withCloudOptions } from '../command-line.ts';
import type { HomeOptions, InitOptions, RegisterSelfOptions } from '../options.ts';

const homeHelp = "this server's Beam home (default: $BEAM_HOME, else ~/.beam)";

export function addServerCommands(program: Command): void {
  addInit(program);
  addRegister(program);
  program
    .command('start')
    .summary("run this server's pilot")
    .description(
      'Runs the pilot in the foreground, as a service would: it supervises gaiad, keeps its configuration as the fleet ' +
        'wants it, reports, and hands the role to the signer. gaiad outlives it. The signer of a validator is a process ' +
        'of its own: `beam signer start`.',
    )
    .option('--home <dir>', homeHelp)
    .addHelpText('after', examples('beam start', 'beam start --home /srv/beam'))
    .action(
      run(async (options: HomeOptions) => {
        const { runPilot } = await import('../run-server.ts');
        return runPilot(options);
      }),
    );
  program
    .command('status')
    .summary('what the pilot of this server says of itself')
    .description("Asks this server's pilot over loopback: role, gaiad, signer, the cloud, and what is wrong.")
    .option('--home <dir>', homeHelp)
    .option('--json', 'as JSON')
    .addHelpText(
      'after',
      `\nExit code: 0 where nothing is wrong, 1 where something is, or no pilot answers.\n`,
    )
    .action(
      run(async (options: HomeOptions) => {
        const { showStatus } = await import('../run-server.ts');
        return showStatus(options);
      }),
    );
  program
    .command('reset')
    .summary("make this server's pilot forget")
    .description(
      'Removes what the pilot keeps across restarts: its queue of messages, the last good configuration, its notes on ' +
        "gaiad. Never touches the consensus key, the signer's state, the sign record, certificates or the chain's home.",
    )
    .option('--home <dir>', homeHelp)
    .option('--dry-run', 'tell what would be removed, remove nothing')
    .option('--json', 'as JSON')
    .addHelpText('after', examples('beam reset --dry-run', 'beam reset'))
    .action(
      run(async (options: HomeOptions) => {
        const { reset } = await import('../run-server.ts');
        return reset(options);
      }),
    );
}

function addInit(program: Command): void {
  const init = program
    .command('init')
    .summary('make this server one of a fleet')
    .description(
      "Writes this server's config.toml and node.toml, makes a device key and a certificate request here, and registers " +
        'the thing and its certificate with the cloud. The key never leaves the server. With --no-register the request ' +
        'is left for somebody with the rights: `beam certs register`.',
    )
    .option('--home <dir>', homeHelp)
    .requiredOption(
      '--fleet <name>',
      'the fleet: one validator identity on one chain, 1 to 32 of a-z, 0-9 and -',
    )
    .requiredOption('--node <name>', "this server's name in the fleet, of the same letters")
    .addOption(
      new Option('--kind <kind>', 'what it is').choices(['validator', 'sentry']).makeOptionMandatory(),
    )
    .addOption(
      new Option('--mode <mode>', 'how far Beam is trusted here: each has all of the one before')
        .choices(stage.options)
        .default('sign'),
    )
    .option('--zone <zone>', 'where it stands: a standby in another zone is preferred')
    .option(
      '--packaged',
      "for the units of Beam's package: gaiad by gaiad.service, homes in /var/lib (docs/package.md)",
    )
    .option('--gaiad <command>', 'the chain binary (or cosmovisor with its arguments, in one string)')
    .option('--gaiad-home <dir>', "the chain's home")
    .option('--rpc <url>', "gaiad's RPC", 'http://127.0.0.1:26657')
    .requiredOption('--p2p <host:port>', "where the fleet's other servers reach gaiad's p2p")
    .option('--chain-id <id>', "the chain's id; a validator needs it")
    .option('--mqtt <host:port>', "the cloud's MQTT endpoint (default: AWS's, or the local fleet's)")
    .option(
      '--credentials <file>',
      "AWS shared credentials file for the sign record, in place of the server's certificate",
    )
    .option(
      '--credential-provider <host:port>',
      "the IoT credentials provider, by which the signer's credentials come by this server's certificate (default: AWS's, or the local fleet's)",
    )
    .option('--stand-alone', 'no cloud: supervise gaiad, sign under the local guard')
    .option('--no-register', 'leave the certificate request for somebody else to register')
    .option('--force', 'write over config.toml and node.toml that are there')
    .option('--dry-run', 'check everything, tell what would be written, write nothing')
    .option('--json', 'as JSON');
  withCloudOptions(init)
    .addHelpText(
      'after',
      examples(
        'beam init --fleet hub --node a --kind validator --zone eu-1 --chain-id cosmoshub-4 \\',
        '    --gaiad /usr/local/bin/gaiad --gaiad-home /srv/gaiad --p2p 10.0.0.5:26656',
        'sudo beam init --packaged --fleet hub --node s1 --kind sentry --p2p 10.0.0.7:26656',
      ),
    )
    .action(
      run(async (options: InitOptions) => {
        const { init: work } = await import('../init.ts');
        return work(options);
      }),
    );
}

function addRegister(program: Command): void {
  program
    .command('register')
    .summary('register this server with a claim certificate')
    .description(
      'On a fresh server that was set up with `beam init --no-register` and has a claim certificate: makes its key here, gets a ' +
        'certificate for it, becomes a thing of its fleet, tries the certificate, and removes the claim. An operator admits ' +
        'the server first: `beam fleet admit`. May be repeated; what broke off is ended.',
    )
    .option('--home <dir>', homeHelp)
    .option('--claim-certificate <file>', 'PEM (default: claim.pem.crt beside the certificate)')
    .option('--claim-key <file>', 'PEM (default: claim.key beside the certificate)')
    .option('--keep-claim', 'leave the claim where it is')
    .option(
      '--instance-identity',
      "on EC2: sends the instance's identity document along, by which it may be admitted (beam fleet admit --instance)",
    )
    .option(
      '--just-in-time',
      'no claim: with the certificate that an authority of your own issued, by connecting (beam certs register-ca --just-in-time)',
    )
    .option('--dry-run', 'tell what would be done, do nothing')
    .option('--json', 'as JSON')
    .addHelpText('after', examples('beam register', 'beam register --home /srv/beam --dry-run'))
    .action(
      run(async (options: RegisterSelfOptions) => {
        const { registerThisServer } = await import('../run-self.ts');
        return registerThisServer(options);
      }),
    );
}
