import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * @param {string | undefined} given a chain binary to use instead of building one
 * @returns {string} the real chain's binary; builds it when it isn't in the cache. Ends the process where that fails.
 */
export function chainBinary(given = process.env.BEAM_DRILL_CHAIN) {
  if (given) return given;
  // Bundled into a program (build/run.js), this file is elsewhere.
  const { BEAM_CHECKOUT: checkout } = process.env;
  const folder = checkout ? join(checkout, 'e2e/chain') : dirname(fileURLToPath(import.meta.url));
  const built = spawnSync(process.execPath, [join(folder, 'build.js')], {
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'utf8',
  });
  if (built.status !== 0) process.exit(built.status ?? 1);
  return built.stdout.trim();
}
