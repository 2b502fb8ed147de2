/** The process `stand-in-chain`. */

import { runCommand } from './command-line.ts';

try {
  await runCommand(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`Error: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
