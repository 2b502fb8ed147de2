/** The work of `beam register` and `beam certs renew`: what a server does about its own certificate. */

import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import {
  InstanceMetadataError,
  metadataAddress,
  metadataVariable,
  readIdentity,
} from '../certs-scripts/instance-metadata.ts';
import { ProvisioningConnectionError, ProvisioningRefused } from '../certs-scripts/provisioning-client.ts';
import { registerSelf } from '../certs-scripts/register-self.ts';
import { renewSelf } from '../certs-scripts/renew-self.ts';
import { type Home, loadHome } from '../device-agent/home/load-home.ts';
import type { ConfigFile } from '../protocol/config.ts';
import { badInput, tell } from './command-line.ts';
import { CliError, exitCodes } from './errors.ts';
import type { RegisterSelfOptions, RenewOptions } from './options.ts';
import { homeOf } from './run-server.ts';

const dayMs = 86_400_000;

function cloudOf(home: Home): NonNullable<ConfigFile['cloud']> {
  const { cloud } = home.config;
  if (cloud) return cloud;
  return badInput(`${home.root}: config.toml has no [cloud]; a server that stands alone has no certificate`);
}

export async function registerThisServer(options: RegisterSelfOptions): Promise<number> {
  const home = await loadHome(homeOf(options));
  const cloud = cloudOf(home);
  const { fleet, node, kind, zone } = home.node;
  const files = {
    certificate: home.path(cloud.certificate),
    key: home.path(cloud.key),
    pending: join(dirname(home.path(cloud.certificate)), 'pending.json'),
  };
  const claim = {
    certificate: resolve(options.claimCertificate ?? join(dirname(files.certificate), 'claim.pem.crt')),
    key: resolve(options.claimKey ?? join(dirname(files.certificate), 'claim.key')),
  };
  const registered = existsSync(files.certificate);
  if (options.justInTime && !registered) {
    badInput(
      `there is no ${files.certificate}: your authority issues it (beam certs issue), and it is put there`,
    );
  }
  for (const file of registered ? [] : Object.values(claim)) {
    if (!existsSync(file)) {
      badInput(
        `there is no ${file}: the claim is made by an operator with \`beam certs claim\`, and put there`,
      );
    }
  }
  if (options.dryRun) {
    tell(
      options,
      { thing: home.thing, dryRun: true, endpoint: cloud.mqtt, ...files, claim, registered },
      registered
        ? `${home.thing} has ${files.certificate} already; would try it at ${cloud.mqtt}`
        : `would register ${home.thing} at ${cloud.mqtt} with ${claim.certificate}`,
    );
    return 0;
  }
  const metadata = process.env[metadataVariable] ?? metadataAddress;
  const done = await told(async () =>
    registerSelf(
      {
        fleet,
        node,
        kind,
        zone,
        endpoint: cloud.mqtt,
        ca: cloud.ca === undefined ? undefined : readFileSync(home.path(cloud.ca), 'utf8'),
        files,
        claim,
        keepClaim: options.keepClaim === true,
        justInTime: options.justInTime === true,
        identity: options.instanceIdentity && !registered ? await readIdentity(metadata) : undefined,
      },
      Date.now(),
    ),
  );
  tell(options, { ...done, certificate: files.certificate }, () =>
    [
      done.before
        ? `${done.thing} was registered before, and its certificate works`
        : `registered ${done.thing}: ${files.certificate}`,
      ...(done.claimForgotten ? ['the claim was removed from this server'] : []),
    ].join('\n'),
  );
  return 0;
}

export async function renewThisServer(options: RenewOptions): Promise<number> {
  const home = await loadHome(homeOf(options));
  const cloud = cloudOf(home);
  const files = { certificate: home.path(cloud.certificate), key: home.path(cloud.key) };
  const { withinDays } = options;
  if (options.dryRun) {
    tell(
      options,
      { thing: home.thing, dryRun: true, ...files },
      `would renew ${files.certificate}${withinDays === undefined ? '' : ` if less than ${withinDays} days are left`}`,
    );
    return 0;
  }
  const { renewed, validToMs } = await told(() =>
    renewSelf(
      {
        thing: home.thing,
        endpoint: cloud.mqtt,
        ca: cloud.ca === undefined ? undefined : home.path(cloud.ca),
        files,
        whenLeftMs: withinDays === undefined ? undefined : withinDays * dayMs,
      },
      Date.now(),
    ),
  );
  const validTo = new Date(validToMs).toISOString();
  tell(options, { thing: home.thing, renewed, validTo }, () =>
    renewed
      ? `${home.thing} has a new key and certificate, valid to ${validTo}. A running pilot changes over within 20 s; ` +
        `then, by an operator: beam certs retire ${home.thing}`
      : `not due: the certificate is valid to ${validTo}`,
  );
  return 0;
}

/** What AWS IoT says is little: what to look at is added. */
async function told<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ProvisioningConnectionError || error instanceof InstanceMetadataError) {
      throw new CliError(error.message, exitCodes.failed, { cause: error });
    }
    if (!(error instanceof ProvisioningRefused)) throw error;
    const remedy =
      error.code === 'AccessDenied'
        ? '; is this server admitted (`beam fleet admit`), as this kind, in time, and for the first time? The log of the function `provision` tells'
        : '';
    throw new CliError(`${error.message}${remedy}`, exitCodes.failed, { cause: error });
  }
}
