import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ownBundles } from '../local-fleet/bundles.ts';
import { badInput } from './command-line.ts';

/** The bundles of every process. @throws CliError where this is a server's package, which has no local cloud and no stand-in chain */
export function wholeBundles(): string {
  const bundles = ownBundles();
  if (!existsSync(join(bundles, 'local-cloud.js'))) {
    badInput(
      "this is a server's installation of Beam, without the local cloud: run this in a checkout (npm ci, then npx beam)",
    );
  }
  return bundles;
}
