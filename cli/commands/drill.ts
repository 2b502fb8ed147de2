import { type Command, Option } from 'commander';
import { examples, run, seconds, wholeNumber } from '../command-line.ts';
import type { DrillOptions } from '../options.ts';

export function addDrill(program: Command): void {
  program
    .command('drill')
    .summary('rehearse a failover and measure it')
    .description(
      'Brings up a fleet of its own in a temporary folder on free ports, does a planned switch or a fault to the ' +
        'active validator, measures, and takes everything down. Progress goes to stderr; with --json the last line ' +
        'on stdout is one JSON object. Exit 0 only if what happened is what must happen.',
    )
    .option(
      '--local',
      'on this machine, with a fleet of its own (needed: drills on a live fleet are not there)',
    )
    .addOption(
      new Option('--fault <fault>', 'what is done to the active')
        .choices(['none', 'gaiad', 'signer', 'pilot', 'host', 'freeze'])
        .default('none'),
    )
    .option(
      '--times <n>',
      'how often, on the same fleet; the worst figures are reported',
      wholeNumber(1, 1000),
      1,
    )
    .option('--block-seconds <s>', 'time from block to block', seconds(0.2, 60), 2)
    .option('--chain <binary>', "'stand-in', or a real chain's binary", 'stand-in')
    .option('--out <dir>', "keep the signers' journals, the commits and all logs there")
    .option('--json', 'one JSON object as the last line')
    .addHelpText(
      'after',
      `
Faults:
  none     no fault: a planned switch, by an edit of the standby's role shadow
  gaiad    kill -9 of the active's chain node
  signer   kill -9 of the active's signer
  pilot    kill -9 of the active's pilot; gaiad and signer must not notice
  host     kill -9 of pilot, signer and gaiad, which stay dead until the standby signs
  freeze   SIGSTOP of all three for 30 s; once awake they must not sign anything new

The JSON object: fault, ok, missedBlocks, secondsWithoutSignature (from the fault to the arrival, at a sentry, of the
first commit with a signature made after it; null: none came), epochBefore, epochAfter, conflicts (positions that were
signed with two different block ids, and the chain's evidence), blockSeconds (measured median).
${examples('beam drill --local --fault host --json', 'beam drill --local --fault none --times 20 --json --out /tmp/drill')}`,
    )
    .action(
      run(async (options: DrillOptions) => {
        const { drill } = await import('../drill.ts');
        return drill(options);
      }),
    );
}
