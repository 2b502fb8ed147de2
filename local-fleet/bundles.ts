/** The bundles that the fleet's processes run from, and how each is started. */

import { utimes } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of the bundle that runs now; its siblings are the other processes. */
export function ownBundles(): string {
  return process.env.BEAM_BUNDLES || dirname(fileURLToPath(import.meta.url));
}

export function bundleCommands(bundles: string) {
  const node = (name: string, ...flags: string[]) => [process.execPath, ...flags, join(bundles, name)];
  return {
    beam: node('beam.js'),
    // Of V8's two halves for what is new, in MB: with 16 a busy cloud spends a tenth of its time on clearing them.
    cloud: node('local-cloud.js', '--max-semi-space-size=64'),
    pilot: node('pilot.js'),
    signer: node('signer.js'),
    standInScript: join(bundles, 'stand-in-chain.js'),
  };
}

const touchEveryMs = 3600 * 1000;

/** Bundles that nothing has used for a day are removed (build/bundle.js): ours are in use while processes run from them. */
export function keepBundles(bundles: string): () => void {
  const touch = () => utimes(bundles, new Date(), new Date(), () => {});
  const timer = setInterval(touch, touchEveryMs);
  timer.unref();
  return () => clearInterval(timer);
}
