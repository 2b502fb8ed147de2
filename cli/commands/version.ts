import type { Command } from 'commander';
import manifest from '../../package.json' with { type: 'json' };
import { run, tell } from '../command-line.ts';

export function addVersion(program: Command): void {
  program
    .command('version')
    .summary("Beam's version")
    .description("Prints Beam's version and Node's.")
    .option('--json', 'as JSON')
    .action(
      run(async (options: { json?: boolean }) => {
        const versions = { beam: manifest.version, node: process.versions.node };
        tell(options, versions, `beam ${versions.beam}, Node ${versions.node}`);
        return 0;
      }),
    );
}
