/** Which cloud a command speaks to: AWS, or a local one, found where `beam up` left word of it. */

import { existsSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type ReadyLine, readyLine } from '../local-fleet/ready-line.ts';
import { CliError, exitCodes } from './errors.ts';

export interface CloudPlace {
  region: string | undefined;
  /** One address for iot, iot-data and dynamodb; undefined: AWS's own. */
  endpoint?: string;
  /** Unix socket of the same, absolute. */
  socket?: string;
  /** host:port */
  mqtt?: string;
  /** host:port */
  credentialProvider?: string;
  /** PEM file; undefined: the system's authorities. */
  ca?: string | undefined;
  /** Undefined: the SDK's default chain. */
  credentials?: { accessKeyId: string; secretAccessKey: string };
  /** For errors. */
  name: string;
}

export interface CloudPlaceOptions {
  endpoint?: string;
  ca?: string;
  region?: string;
  data?: string;
  aws?: boolean;
}

export const localFileName = 'local.json';

/** The checkout's own data folder; outside a checkout, the working folder's. */
export function defaultData(env: NodeJS.ProcessEnv): string {
  return resolve(env.BEAM_CHECKOUT ?? '.', '.beam');
}

/**
 * `--aws`; `--endpoint`; `--data`; BEAM_ENDPOINT; BEAM_LOCAL; the fleet of this checkout; else AWS.
 * @throws CliError where what was named is not there
 */
export function findCloud(options: CloudPlaceOptions, env: NodeJS.ProcessEnv): CloudPlace {
  const region = options.region ?? env.AWS_REGION ?? env.AWS_DEFAULT_REGION;
  if (options.aws) return { region, name: 'AWS' };
  if (options.endpoint !== undefined) return atEndpoint(options.endpoint, options.ca, region, '--endpoint');
  if (options.data !== undefined) return readLocal(options.data, '--data', options);
  if (env.BEAM_ENDPOINT)
    return atEndpoint(env.BEAM_ENDPOINT, options.ca ?? env.BEAM_CA, region, 'BEAM_ENDPOINT');
  if (env.BEAM_LOCAL) return readLocal(env.BEAM_LOCAL, 'BEAM_LOCAL', options);
  const checkout = join(defaultData(env), localFileName);
  if (existsSync(checkout)) return readLocal(checkout, 'this checkout', options);
  // AWS needs none: whoever gives one means another cloud, and would speak to AWS unawares.
  if (options.ca !== undefined) {
    throw new CliError(
      '--ca goes with --endpoint: give the address of the cloud whose authority it is, such as https://HOST:8443',
      exitCodes.usage,
    );
  }
  return { region, name: 'AWS' };
}

function atEndpoint(
  endpoint: string,
  ca: string | undefined,
  region: string | undefined,
  source: string,
): CloudPlace {
  if (!URL.canParse(endpoint) || !endpoint.startsWith('https://')) {
    throw new CliError(
      `${source}: ${endpoint} is not an address like https://localhost:8443`,
      exitCodes.usage,
    );
  }
  if (ca !== undefined && !existsSync(ca)) {
    throw new CliError(
      `--ca: there is no file ${ca}; name the PEM file of the endpoint's authority`,
      exitCodes.usage,
    );
  }
  return { endpoint, ca, region: region ?? 'local', name: endpoint };
}

function readLocal(path: string, source: string, options: CloudPlaceOptions): CloudPlace {
  const file = existsSync(path) && statSync(path).isDirectory() ? join(path, localFileName) : path;
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    throw new CliError(
      `${source}: there is no ${file}; start the fleet with \`beam up --data DIR\` first, or name its folder (of \`beam cloud\` alone: --endpoint and --ca)`,
      exitCodes.usage,
    );
  }
  let ready: ReadyLine;
  try {
    ready = readyLine.parse(JSON.parse(text));
  } catch (error) {
    throw new CliError(
      `${file} is not what \`beam up\` writes there; start the fleet again`,
      exitCodes.usage,
      {
        cause: error,
      },
    );
  }
  return {
    region: options.region ?? ready.region,
    endpoint: ready.https,
    ...(ready.socket !== undefined && { socket: ready.socket }),
    mqtt: ready.mqtt,
    ...(ready.credentialProvider !== undefined && { credentialProvider: ready.credentialProvider }),
    ca: options.ca ?? ready.ca,
    credentials: { accessKeyId: ready.accessKeyId, secretAccessKey: ready.secretAccessKey },
    name: ready.https,
  };
}
