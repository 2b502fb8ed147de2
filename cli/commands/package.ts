/** `beam package` and `beam completion`. */

import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Argument, type Command, Option } from 'commander';
import { badInput, examples, run, tell } from '../command-line.ts';
import { completionScript, type Shell, shells } from '../completion.ts';

interface PackageOptions {
  out: string;
  arch?: string;
  json?: boolean;
}

/** build/package.js, which is not part of what is installed. */
interface PackageMaker {
  makePackages(options: {
    out: string;
    arch?: string;
  }): Promise<{ path: string; bytes: number; sha256: string }[]>;
}

export function addPackage(program: Command): void {
  program
    .command('package')
    .summary('make the package that servers install')
    .description(
      'Makes, from this checkout, a Debian package and a tarball with the pilot, the signer, the command line and their systemd ' +
        'units. The same sources give the same bytes. See docs/package.md for what they hold and do.',
    )
    .option('--out <dir>', 'where to', 'dist/package')
    .addOption(
      new Option('--arch <arch>', "of the servers (default: this machine's)").choices(['amd64', 'arm64']),
    )
    .option('--json', 'as JSON')
    .addHelpText('after', examples('beam package', 'beam package --arch arm64 --out /tmp/beam'))
    .action(
      run(async (options: PackageOptions) => {
        const maker = join(process.env.BEAM_CHECKOUT ?? '', 'build/package.js');
        if (!process.env.BEAM_CHECKOUT || !existsSync(maker)) {
          badInput(
            "a package is made from Beam's sources: run this in a checkout of Beam, as npx beam package",
          );
        }
        const { makePackages }: PackageMaker = await import(pathToFileURL(maker).href);
        const { arch } = options;
        const made = await makePackages({ out: resolve(options.out), ...(arch !== undefined && { arch }) });
        tell(options, { packages: made }, () =>
          made
            .map(({ path, bytes, sha256 }) => `${sha256}  ${path} (${Math.ceil(bytes / 1024)} KB)`)
            .join('\n'),
        );
        return 0;
      }),
    );
  program
    .command('completion')
    .summary('completion for a shell')
    .description('Prints the completion script of a shell. The package installs all three.')
    .addArgument(new Argument('<shell>').choices(shells))
    .addHelpText('after', examples('source <(beam completion bash)', 'beam completion fish | source'))
    .action(
      run(async (shell: Shell) => {
        process.stdout.write(completionScript(program, shell));
        return 0;
      }),
    );
}
