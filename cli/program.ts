/** The `beam` command: every command's options and help. Their work is loaded only when it is run. */

import { Command } from 'commander';
import { addCerts } from './commands/certs.ts';
import { addCloud } from './commands/cloud.ts';
import { addDrill } from './commands/drill.ts';
import { addFleetCommands } from './commands/fleet.ts';
import { addPackage } from './commands/package.ts';
import { addRules } from './commands/rules.ts';
import { addServerCommands } from './commands/server.ts';
import { addSigner } from './commands/signer.ts';
import { addUp } from './commands/up.ts';
import { addVersion } from './commands/version.ts';

export function beamProgram(): Command {
  const program = new Command('beam');
  program
    .description(
      'Runs the servers of a Cosmos validator as a fleet of AWS IoT things: failover without a double sign, ' +
        'configuration by device shadow. Works against AWS, or the local cloud that comes with it.',
    )
    .exitOverride()
    // An option behind a subcommand is the subcommand's: `beam cloud` and `beam cloud check` both take --data.
    .enablePositionalOptions()
    .showSuggestionAfterError()
    .showHelpAfterError('(add --help for what a command takes)')
    .helpCommand('help [command]', 'what a command does and takes')
    .addHelpText(
      'after',
      `
Where commands look for the fleet: --aws (AWS), --endpoint, --data, BEAM_ENDPOINT, BEAM_LOCAL (a data folder), the
fleet that \`beam up\` runs in this checkout (.beam/), else AWS by the SDK's usual configuration.

Exit codes: 0 done; 1 failed; 2 bad arguments or input, nothing was tried; 130 ended by Ctrl-C; of \`beam start\` and
\`beam signer start\` also 78: the server's configuration can't be used.

First steps:
  $ npm start                      # a fleet on this machine
  $ npx beam fleet show demo       # its servers (in another terminal)
  $ npx beam failover demo         # a planned switch
`,
    );
  addUp(program);
  addDrill(program);
  addCloud(program);
  addRules(program);
  addFleetCommands(program);
  addServerCommands(program);
  addSigner(program);
  addCerts(program);
  addPackage(program);
  addVersion(program);
  takeVerbose(program);
  return program;
}

function takeVerbose(command: Command): void {
  const has = command.options.some(({ long }) => long === '--verbose');
  if (!has && command.commands.length === 0) command.option('--verbose', 'errors with their stack');
  command.commands.forEach(takeVerbose);
}
