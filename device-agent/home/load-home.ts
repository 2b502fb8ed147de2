/** A server's Beam home as the pilot needs it: both files parsed, every path absolute. */

import { resolve } from 'node:path';
import {
  ConfigError,
  type ConfigFile,
  configFile,
  homePaths,
  type NodeFile,
  nodeFile,
} from '../../protocol/config.ts';
import { thingName } from '../../protocol/names.ts';
import { unixPathBytesMax } from '../../protocol/unix-socket.ts';
import { readTomlFile } from './toml-file.ts';

export interface Home {
  root: string;
  node: NodeFile;
  config: ConfigFile;
  thing: string;
  /** @param path of config.toml or `homePaths`, relative to the home. */
  path(path: string): string;
}

/**
 * @throws ConfigError that names the file and each fault, of both files where both have some.
 */
export async function loadHome(root: string): Promise<Home> {
  const home = resolve(root);
  const path = (relative: string) => resolve(home, relative);
  const remedy = 'write it with `beam init`, or give the right folder with --home';
  const [config, node] = await Promise.allSettled([
    readTomlFile(configFile, path(homePaths.config), remedy),
    readTomlFile(nodeFile, path(homePaths.node), remedy),
  ]);
  if (config.status === 'rejected' || node.status === 'rejected') {
    const errors = [config, node].flatMap((read) => (read.status === 'rejected' ? [read.reason] : []));
    const [first, second] = errors;
    if (first instanceof ConfigError && second instanceof ConfigError) {
      throw new ConfigError(first.file, [...first.faults, `and ${second.message}`]);
    }
    throw first;
  }
  const faults = crossFaults(config.value, node.value, path);
  if (faults.length > 0) throw new ConfigError(path(homePaths.config), faults);
  return {
    root: home,
    node: node.value,
    config: config.value,
    thing: thingName(node.value.fleet, node.value.node),
    path,
  };
}

function crossFaults(config: ConfigFile, node: NodeFile, path: (relative: string) => string): string[] {
  const faults: string[] = [];
  if (config.signer && node.kind === 'sentry') {
    faults.push('signer: a sentry has none; remove the section, or make kind = "validator" in node.toml');
  }
  for (const name of ['socket', 'control'] as const) {
    const bytes = config.signer ? Buffer.byteLength(path(config.signer[name])) : 0;
    if (bytes > unixPathBytesMax) {
      faults.push(
        `signer.${name}: its whole path has ${bytes} bytes, a unix socket's at most ${unixPathBytesMax}; name a shorter one`,
      );
    }
  }
  const gaiadHome = path(config.gaiad.home);
  if (config.signer && isInside(path(config.signer.key), gaiadHome)) {
    faults.push(
      `signer.key: lies inside gaiad's home (${gaiadHome}), whose node could sign with it; move it elsewhere`,
    );
  }
  return faults;
}

function isInside(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}
