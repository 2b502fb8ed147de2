import type { Command } from 'commander';
import { examples, run, seconds, wholeNumber } from '../command-line.ts';
import type { UpOptions } from '../options.ts';

export function addUp(program: Command): void {
  program
    .command('up')
    .summary('a whole fleet on this machine (npm start)')
    .description(
      'Brings up a fleet on this machine and shows it: the local cloud, validators a (active) and b (standby), two ' +
        'sentries, each with its pilot, its certificate and its chain node, the validators with a signer. What dies is ' +
        'started again, as systemd would. Ctrl-C ends every process; the next start goes on from the data folder.\n\n' +
        'Without a chain binary the nodes run a small stand-in for gaiad. It makes blocks and asks for signatures ' +
        'as gaiad does, but it is no chain.',
    )
    .option('--data <dir>', 'where everything is kept (default: .beam of this checkout)')
    .option(
      '--chain <binary>',
      "'stand-in' (the default), gaiad, or the path of a chain binary; decided at the first start",
    )
    .option(
      '--block-seconds <s>',
      'time from block to block (default: 2); decided at the first start',
      seconds(0.2, 60),
    )
    .option(
      '--mqtt-port <port>',
      'port of the local cloud (default: 8883 where it is free)',
      wholeNumber(1, 65_535),
    )
    .option(
      '--https-port <port>',
      'port of the local cloud (default: 8443 where it is free)',
      wholeNumber(1, 65_535),
    )
    .option(
      '--validators <n>',
      'servers that can sign, one active, the others standby; decided at the first start',
      wholeNumber(2, 5),
      2,
    )
    .option('--once', 'bring it up, print the table when all is well, end everything; exit 1 where it is not')
    .option('--verbose', 'tell what is done, and errors with their stack')
    .addHelpText(
      'after',
      examples(
        'npm start',
        'beam up --data /tmp/fleet --block-seconds 6',
        'npm start -- --chain gaiad',
        'beam failover demo          # in another terminal: a planned switch',
      ),
    )
    .action(
      run(async (options: UpOptions) => {
        const { up } = await import('../up.ts');
        return up(options);
      }),
    );
}
