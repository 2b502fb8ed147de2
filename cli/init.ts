/** `beam init`: this server's files, its key and certificate request, its registration. */

import { existsSync } from 'node:fs';
import { lchown, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join, resolve } from 'node:path';
import { DescribeEndpointCommand } from '@aws-sdk/client-iot';
import type * as z from 'zod';
import { createCsr } from '../certs-scripts/csr.ts';
import { ensureDeviceKey } from '../certs-scripts/device-key.ts';
import { registerServer } from '../certs-scripts/register.ts';
import { writeServersOwn } from '../certs-scripts/write-whole.ts';
import { initHome } from '../device-agent/commands/init.ts';
import { connectOperator, disconnect } from '../operator/actions/operator.ts';
import { type configFile, healthOnAws, homePaths, nodeFile, parseConfig } from '../protocol/config.ts';
import { thingName } from '../protocol/names.ts';
import { stageFeatures } from '../protocol/stages.ts';
import { type CloudPlace, findCloud } from './cloud-place.ts';
import { badInput, tell } from './command-line.ts';
import { CliError, describeError, exitCodeOf } from './errors.ts';
import type { InitOptions } from './options.ts';
import { homeOf } from './run-server.ts';

const files = {
  certificate: join(homePaths.certs, 'device.pem.crt'),
  key: join(homePaths.certs, 'device.key'),
  request: join(homePaths.certs, 'device.csr'),
  ca: join(homePaths.certs, 'ca.pem'),
} as const;

/** Where Beam's package has its folders and sockets (packaging/tmpfiles.conf). */
const packaged = {
  home: '/var/lib/beam',
  gaiadHome: '/var/lib/gaiad',
  unit: 'gaiad.service',
  signer: {
    socket: '/run/beam/node/signer.sock',
    control: '/run/beam/control/signer.sock',
  },
} as const;

const mqttPort = 8883;
const credentialsPort = 443;

type ConfigInput = z.input<typeof configFile>;

export async function init(options: InitOptions): Promise<number> {
  const home = options.packaged ? resolve(options.home ?? packaged.home) : homeOf(options);
  const { fleet, node: name, kind, zone, dryRun = false } = options;
  const node = parseConfig(nodeFile, { fleet, node: name, kind, ...(zone && { zone }) }, 'the options');
  if (kind === 'validator' && stageFeatures[options.mode].hasSigner && options.chainId === undefined) {
    badInput("a validator's signer needs the chain's id: give --chain-id");
  }
  const place = options.standAlone ? undefined : findCloud(options, process.env);
  const config = await configOf(options, place);
  const thing = thingName(fleet, name);
  const willRegister = place !== undefined && options.register;
  if (dryRun) {
    tell(options, { home, thing, dryRun, config, register: willRegister }, () =>
      [
        `would write ${join(home, homePaths.config)} and ${homePaths.node} for ${thing}`,
        willRegister ? `would register ${thing} with ${place.name}` : 'would register nothing',
      ].join('\n'),
    );
    return 0;
  }
  const written = await initHome({ home, node, config, force: options.force === true });
  if (place?.ca !== undefined) writeServersOwn(join(home, files.ca), await readFile(place.ca, 'utf8'));
  const steps = [`wrote ${written.join(' and ')}`];
  if (place && config.signer && !config.cloud?.credential_provider && !config.cloud?.credentials) {
    steps.push(
      'no --credential-provider and no --credentials: the signer takes AWS credentials where the AWS SDK finds them',
    );
  }
  if (place) {
    const csr = await createCsr(ensureDeviceKey(join(home, files.key)), thing);
    await writeFile(join(home, files.request), csr, { mode: 0o600 });
    steps.push(willRegister ? await register(options, place, csr, home) : laterHint(options, home));
  }
  await giveToPilot(home);
  tell(options, { home, thing, written, registered: willRegister }, () =>
    [...steps, nextSteps(options, home)].join('\n'),
  );
  return 0;
}

/** What root wrote into a folder that is a pilot's own is that pilot's (Beam's package gives it a user of its own). */
async function giveToPilot(home: string): Promise<void> {
  const certs = join(home, homePaths.certs);
  const { uid, gid } = await stat(certs);
  if (process.getuid?.() !== 0 || uid === 0) return;
  for (const name of await readdir(certs)) await lchown(join(certs, name), uid, gid);
}

async function register(options: InitOptions, place: CloudPlace, csr: string, home: string): Promise<string> {
  const { fleet, node, kind, zone } = options;
  if (existsSync(join(home, files.certificate))) {
    return `${join(home, files.certificate)} is there already, and stays; a new one: beam certs rotate`;
  }
  const operator = connectOperator(place);
  try {
    const { certificatePem, certificateId, thing } = await registerServer(
      operator.iot,
      { fleet, node, kind, zone },
      csr,
    );
    writeServersOwn(join(home, files.certificate), certificatePem);
    return `registered ${thing} with ${place.name}, certificate ${certificateId.slice(0, 12)}…`;
  } catch (error) {
    const what = describeError(error, place.name);
    throw new CliError(
      `${what}\nThe files are written; give the same command with --force when that is mended, or let somebody with the rights run \`beam certs register\``,
      exitCodeOf(error),
      { cause: error },
    );
  } finally {
    disconnect(operator);
  }
}

async function configOf(options: InitOptions, place: CloudPlace | undefined): Promise<ConfigInput> {
  const { rpc, p2p, chainId, kind, credentials, mode } = options;
  const credentialProvider = place && (await credentialProviderOf(options, place));
  const signer = options.packaged ? packaged.signer : {};
  // The package's signer is a user of its own, whom another user's socket is closed to.
  const socket = kind === 'validator' && !options.packaged ? place?.socket : undefined;
  const cloud = place && {
    mqtt: options.mqtt ?? (await mqttEndpoint(place)),
    region: place.region ?? badInput('no AWS region is set: give --region, or set AWS_REGION'),
    ...(place.endpoint !== undefined && { https: place.endpoint }),
    ...(socket !== undefined && { socket }),
    ...(place.ca !== undefined && { ca: files.ca }),
    certificate: files.certificate,
    key: files.key,
    ...(credentials !== undefined && { credentials: resolve(credentials) }),
    ...(credentialProvider !== undefined && { credential_provider: credentialProvider }),
  };
  return {
    mode,
    ...(cloud && { cloud }),
    ...(place && place.endpoint === undefined && { health: healthOnAws }),
    gaiad: { ...gaiadOf(options), rpc, p2p },
    ...(kind === 'validator' && chainId !== undefined && { signer: { chain_id: chainId, ...signer } }),
  };
}

function gaiadOf(options: InitOptions): { command: string[]; home: string } | { unit: string; home: string } {
  const { gaiad, gaiadHome } = options;
  if (options.packaged) {
    if (gaiad !== undefined)
      badInput('--gaiad and --packaged exclude each other: the command is in gaiad.service');
    return { unit: packaged.unit, home: resolve(gaiadHome ?? packaged.gaiadHome) };
  }
  if (gaiad === undefined || gaiadHome === undefined) {
    badInput(
      "give the chain's binary and home with --gaiad and --gaiad-home, or --packaged for Beam's package",
    );
  }
  return { command: gaiad.split(/\s+/).filter((word) => word !== ''), home: resolve(gaiadHome) };
}

/**
 * Where a validator's signer has its credentials by its certificate. Only a sentry, a server that was given others, and one that
 * asks no cloud for its endpoints (--mqtt), have none.
 */
async function credentialProviderOf(
  { kind, mode, credentials, credentialProvider, mqtt }: InitOptions,
  place: CloudPlace,
): Promise<string | undefined> {
  if (credentialProvider !== undefined) return credentialProvider;
  if (kind === 'sentry' || !stageFeatures[mode].hasSigner || credentials !== undefined) return undefined;
  if (place.credentialProvider !== undefined) return place.credentialProvider;
  return mqtt === undefined ? endpointOf(place, 'iot:CredentialProvider', credentialsPort) : undefined;
}

async function mqttEndpoint(place: CloudPlace): Promise<string> {
  return place.mqtt ?? endpointOf(place, 'iot:Data-ATS', mqttPort);
}

async function endpointOf(place: CloudPlace, endpointType: string, port: number): Promise<string> {
  const operator = connectOperator(place);
  try {
    const { endpointAddress } = await operator.iot.send(new DescribeEndpointCommand({ endpointType }));
    if (!endpointAddress) {
      badInput(`AWS IoT told no endpoint ${endpointType}: give it with --mqtt or --credential-provider`);
    }
    const hasPort = endpointAddress.includes(':') && isIP(endpointAddress) === 0;
    return hasPort ? endpointAddress : `${endpointAddress}:${port}`;
  } catch (error) {
    if (error instanceof CliError) throw error;
    throw new CliError(
      `${describeError(error, place.name)}\nThe endpoint ${endpointType} was asked for. A server without AWS credentials is told them: ` +
        '--mqtt HOST:8883 and, on a validator, --credential-provider HOST:443',
      exitCodeOf(error),
      { cause: error },
    );
  } finally {
    disconnect(operator);
  }
}

function laterHint({ fleet, node, kind, packaged: services }: InitOptions, home: string): string {
  const asPilot = services ? 'sudo runuser -u beam -- ' : '';
  return [
    `left the certificate request in ${join(home, files.request)}; now one of these:`,
    `- with a claim: \`beam fleet admit ${fleet} ${node} --kind ${kind}\` by an operator, what \`beam certs claim\` wrote into`,
    `  ${join(home, homePaths.certs)}, then here: ${asPilot}beam register --home ${home}`,
    '- without: somebody with the rights runs',
    `  beam certs register --fleet ${fleet} --node ${node} --kind ${kind} --csr device.csr --out device.pem.crt`,
    `  and the certificate goes to ${join(home, files.certificate)}`,
  ].join('\n');
}

function nextSteps({ kind, standAlone, mode, packaged: services }: InitOptions, home: string): string {
  const { hasSigner, signs } = stageFeatures[mode];
  if (services) {
    return kind === 'sentry' || !hasSigner
      ? 'next: systemctl enable --now beam'
      : 'next: /usr/share/doc/beam/README.md, "A validator": the key, systemctl enable --now beam-signer beam, the enrolment';
  }
  if (kind === 'sentry' || !hasSigner) return `next: beam start --home ${home}`;
  if (!signs) {
    return [
      `next: beam start --home ${home} and beam signer start --home ${home}, each as a service; then, after some days,`,
      `  beam signer dry-run --report --home ${home}`,
    ].join('\n');
  }
  const guard = standAlone ? ' --guard local' : '';
  return [
    'next: put priv_validator_key.json (mode 0600) in the signer folder of that home, then',
    `  beam signer start --home ${home} and beam start --home ${home}, each as a service, and at the head of the chain`,
    `  beam signer enrol${guard} --home ${home}   (on the fleet's first validator; the others: beam signer join)`,
  ].join('\n');
}
