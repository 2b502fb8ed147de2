/** The device certificate, its key and the CA, read and checked before the first connect. */

import { readFile } from 'node:fs/promises';
import { ConfigError, type ConfigFile } from '../../protocol/config.ts';
import { errorCode } from '../home/error-code.ts';
import type { Home } from '../home/load-home.ts';

export interface CloudCredentials {
  certificate: string;
  key: string;
  ca: string | undefined;
}

/** @throws ConfigError that names each file that can't be used. */
export async function readCredentials(
  home: Home,
  cloud: NonNullable<ConfigFile['cloud']>,
): Promise<CloudCredentials> {
  const faults: string[] = [];
  const read = async (setting: string, path: string) => {
    try {
      return await readFile(home.path(path), 'utf8');
    } catch (error) {
      const code = errorCode(error);
      faults.push(
        `cloud.${setting}: ${home.path(path)} can't be read (${code}); register this server again, or correct the path`,
      );
      return '';
    }
  };
  const [certificate, key, ca] = await Promise.all([
    read('certificate', cloud.certificate),
    read('key', cloud.key),
    cloud.ca === undefined ? undefined : read('ca', cloud.ca),
  ]);
  if (faults.length > 0) throw new ConfigError(home.path('config.toml'), faults);
  return { certificate, key, ca };
}
