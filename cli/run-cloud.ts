/** `beam cloud`: the local cloud's own process, in this one. */

import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { wholeBundles } from './whole-bundles.ts';

export interface RunCloudOptions {
  data: string;
  mqttPort: number;
  httpsPort: number;
  httpPort?: number;
  credentialsPort?: number;
  host?: string;
  awsRates?: boolean;
  json?: boolean;
}

/** Never returns: the cloud's process ends itself, on SIGINT and SIGTERM in good order. */
export async function runCloud(options: RunCloudOptions): Promise<never> {
  const bundle = join(wholeBundles(), 'local-cloud.js');
  const { data, mqttPort, httpsPort, httpPort, credentialsPort, host, awsRates, json } = options;
  const args = ['--data', data, '--mqtt-port', String(mqttPort), '--https-port', String(httpsPort)];
  if (httpPort !== undefined) args.push('--http-port', String(httpPort));
  if (credentialsPort !== undefined) args.push('--credentials-port', String(credentialsPort));
  if (awsRates) args.push('--aws-rates');
  if (host !== undefined) args.push('--host', host);
  if (json) args.push('--json');
  process.argv = [process.execPath, bundle, ...args];
  await import(pathToFileURL(bundle).href);
  throw new Error(`${bundle} ended without a word`);
}
