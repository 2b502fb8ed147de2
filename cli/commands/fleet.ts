/** Commands for operators of fleets: `beam fleet …`, `beam shadow …`, `beam failover`. */

import { type Command, InvalidArgumentError, Option } from 'commander';
import { examples, run, seconds, wholeNumber, withCloudOptions } from '../command-line.ts';
import type {
  AdmitOptions,
  CloudCommandOptions,
  ConfigureOptions,
  EditOptions,
  FailoverOptions,
  RemoveOptions,
} from '../options.ts';

const json = ['--json', 'as JSON'] as const;

export function addFleetCommands(program: Command): void {
  const fleet = program
    .command('fleet')
    .summary('fleets and their servers')
    .description('What the registry, the fleet table, the sign record and the shadows say of fleets.');
  withCloudOptions(
    fleet
      .command('list')
      .description('Names of the fleets.')
      .option(...json),
  ).action(run(async (options: CloudCommandOptions) => (await import('../run-fleet.ts')).list(options)));
  withCloudOptions(
    fleet
      .command('show <fleet>')
      .summary('a fleet, or one of its servers')
      .description('A fleet with its servers; of <fleet>_<node> everything that is known.')
      .option(...json),
  )
    .addHelpText('after', examples('beam fleet show demo', 'beam fleet show demo_a --json'))
    .action(
      run(async (name: string, options: CloudCommandOptions) =>
        (await import('../run-fleet.ts')).show(name, options),
      ),
    );
  addConfigure(fleet);
  addAdmit(fleet);
  addRemove(fleet);
  addShadow(program);
  addFailover(program);
}

function addConfigure(fleet: Command): void {
  withCloudOptions(
    fleet
      .command('configure <fleet>')
      .summary('what Commander may do by itself')
      .description(
        'Switches on by name what Commander may do. What is left out stays as it is; of a new fleet everything is off.',
      )
      .option('--record-key <key>', 'the sign record in which it may grant (see `beam signer status`)')
      .option('--automatic-failover <on|off>', 'whether it fails over by itself', onOff)
      .option('--cooldown-seconds <s>', 'between two automatic failovers', wholeNumber(0, 86_400))
      .option('--dry-run', 'tell what would be, change nothing')
      .option(...json),
  )
    .addHelpText('after', examples('beam fleet configure hub --automatic-failover on --dry-run'))
    .action(
      run(async (name: string, options: ConfigureOptions) =>
        (await import('../run-fleet.ts')).configure(name, options),
      ),
    );
}

function addAdmit(fleet: Command): void {
  withCloudOptions(
    fleet
      .command('admit <fleet> <node>')
      .summary('let a fresh server register itself')
      .description(
        'Lets this one server register itself with a claim certificate (`beam register`): once, as this kind, until time is up. ' +
          "Makes the fleet's thing type and group where they are missing. An earlier admission of the server is replaced.",
      )
      .addOption(
        new Option('--kind <kind>', 'what it is').choices(['validator', 'sentry']).makeOptionMandatory(),
      )
      .option('--zone <zone>', 'where it stands')
      .option('--hours <n>', 'how long it is let in', wholeNumber(1, 24 * 3650), 24)
      .option(
        '--instance <id>',
        'only this EC2 instance, by its identity document; `own`, for a sentry: any of this account, again and again, each started within the hour',
      )
      .option('--dry-run', 'tell what would be, change nothing')
      .option(...json),
  )
    .addHelpText(
      'after',
      examples(
        'beam fleet admit hub c --kind sentry --zone eu-1',
        'beam fleet admit hub a --kind validator --instance i-0123456789abcdef0',
        'beam fleet admit hub s1 --kind sentry --instance own --hours 8760',
      ),
    )
    .action(
      run(async (name: string, node: string, options: AdmitOptions) =>
        (await import('../run-fleet.ts')).admit(name, node, options),
      ),
    );
}

function addRemove(fleet: Command): void {
  withCloudOptions(
    fleet
      .command('remove <fleet> <node>')
      .summary('take a server out for good')
      .description(
        'Removes a server from its fleet: its certificates are revoked and deleted, then its admission, its item in the fleet table, its thing ' +
          'and its shadows. Refused for whoever holds the right to sign by the sign record, or was granted it. Nothing happens on the server itself.',
      )
      .option('--yes', 'do not ask')
      .option('--dry-run', 'tell what would be removed, change nothing')
      .option('--json', 'as JSON; asks nothing, so give --yes'),
  )
    .addHelpText('after', examples('beam fleet remove hub c --dry-run', 'beam fleet remove hub c --yes'))
    .action(
      run(async (name: string, node: string, options: RemoveOptions) =>
        (await import('../run-fleet-removal.ts')).remove(name, node, options),
      ),
    );
  withCloudOptions(
    fleet
      .command('leftovers [fleet]')
      .summary('what there is of fleets in the cloud')
      .description(
        'Lists what a teardown leaves, of one fleet or of all: groups, things, certificates, shadows, items of the fleet table, sign records, and ' +
          "certificates that have a policy of Beam and are no thing's. Changes nothing.",
      )
      .option(...json),
  )
    .addHelpText('after', examples('beam fleet leftovers', 'beam fleet leftovers hub --json'))
    .action(
      run(async (name: string | undefined, options: CloudCommandOptions) =>
        (await import('../run-fleet-removal.ts')).showLeftovers(name, options),
      ),
    );
}

function onOff(text: string): boolean {
  if (text !== 'on' && text !== 'off') throw new InvalidArgumentError("Give 'on' or 'off'.");
  return text === 'on';
}

function addShadow(program: Command): void {
  const shadow = program
    .command('shadow')
    .summary('device shadows of servers')
    .description(
      'Reads and edits the shadows of a server: `role` (who should sign), `gaiad` (its configuration), `status`. An edit is ' +
        "the same act as in the AWS console: a request. Commander puts a role edit back that can't be, and says why.",
    );
  withCloudOptions(
    shadow
      .command('get <thing> <shadow>')
      .description('A shadow: desired, reported and version.')
      .option(...json),
  )
    .addHelpText('after', examples('beam shadow get demo_a role'))
    .action(
      run(async (thing: string, name: string, options: CloudCommandOptions) =>
        (await import('../run-fleet.ts')).shadowGet(thing, name, options),
      ),
    );
  withCloudOptions(
    shadow
      .command('edit <thing> <shadow> <changes...>')
      .summary('change what is desired')
      .description(
        'Merges changes into `desired`: a JSON object (null deletes a member), or path=value with dots between names.',
      )
      .option('--version <n>', 'only where the shadow is at this version', wholeNumber(0, 2 ** 31))
      .option('--dry-run', 'tell what would be sent, send nothing')
      .option(...json),
  )
    .addHelpText(
      'after',
      examples(
        'beam shadow edit demo_b role role=active',
        `beam shadow edit demo_b role '{"role":"active"}'`,
        `beam shadow edit demo_s1 gaiad 'config."config.toml".p2p.max_num_inbound_peers=80'`,
      ),
    )
    .action(
      run(async (thing: string, name: string, changes: string[], options: EditOptions) =>
        (await import('../run-fleet.ts')).shadowEdit(thing, name, changes, options),
      ),
    );
}

function addFailover(program: Command): void {
  withCloudOptions(
    program
      .command('failover <fleet>')
      .summary('a planned switch to a standby')
      .description(
        'Asks that a standby takes over the right to sign, and waits until it has and the old one stands by. The switch is ' +
          'timed just after a commit: no block is missed, and nothing is signed twice whatever happens.',
      )
      .option('--to <node>', 'to this one (default: the best standby, one in another zone first)')
      .option('--no-wait', 'send the request, and that is all')
      .option('--timeout <s>', 'how long the claim is waited for', seconds(1, 600), 30)
      .option('--dry-run', 'tell what would be sent, send nothing')
      .option(...json),
  )
    .addHelpText(
      'after',
      examples('beam failover demo', 'beam failover demo --to b --json', 'beam failover demo --dry-run'),
    )
    .action(
      run(async (name: string, options: FailoverOptions) =>
        (await import('../run-fleet.ts')).failoverTo(name, options),
      ),
    );
}
