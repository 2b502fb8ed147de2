/** The work of `beam certs …` on an authority of one's own. */

import { X509Certificate } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { DescribeCertificateCommand } from '@aws-sdk/client-iot';
import {
  authorityFiles,
  readAuthority,
  type StoredAuthority,
  writeAuthority,
} from '../certs-scripts/authority-folder.ts';
import { issueFromCsr, makeAuthority } from '../certs-scripts/ca.ts';
import { checkChain } from '../certs-scripts/check-chain.ts';
import { registerFleet } from '../certs-scripts/register.ts';
import {
  certificatesUnder,
  registerAuthority,
  removeAuthority,
} from '../certs-scripts/register-authority.ts';
import {
  isRevoked,
  type RevokedCertificate,
  readRevocations,
  revokeIssued,
} from '../certs-scripts/revocation-list.ts';
import { revoke } from '../certs-scripts/rotate.ts';
import { writeWhole } from '../certs-scripts/write-whole.ts';
import { fingerprintOf } from '../certs-scripts/x509.ts';
import { fleetName, parseThingName } from '../protocol/names.ts';
import { badInput, tell } from './command-line.ts';
import { describeError, exitCodes } from './errors.ts';
import type {
  AuthorityOptions,
  CheckOptions,
  CrlOptions,
  IssueOptions,
  OwnAuthorityOptions,
  RegisterCaOptions,
} from './options.ts';
import { checkWritable, readCsr, readPem } from './run-certs.ts';
import { withOperator } from './run-fleet.ts';

const dayMs = 86_400_000;

export async function makeCa({ out, name, days, signedBy, dryRun, json }: AuthorityOptions): Promise<number> {
  const folder = resolve(out);
  const { certificate, key } = authorityFiles(folder);
  for (const file of [certificate, key]) {
    if (existsSync(file)) badInput(`${file} is there already, and is never replaced; give another --out`);
  }
  const above = signedBy === undefined ? undefined : open(signedBy);
  if (!dryRun) {
    const made = await makeAuthority(name, { days, ...(above && { issuer: above }) });
    writeAuthority(folder, made, above?.chainPem);
  }
  tell(
    { json: json === true },
    { certificate, key, days, dryRun: dryRun === true },
    () => `${dryRun ? 'would write' : 'wrote'} ${certificate} and ${key}: keep the key off every server`,
  );
  return 0;
}

/** @throws CliError where the folder is no authority's */
function open(folder: string): StoredAuthority {
  try {
    return readAuthority(resolve(folder));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return badInput(
      code === 'ENOENT' || code === 'ENOTDIR'
        ? `${resolve(folder)} is no authority's folder: \`beam certs ca\` makes one`
        : `${resolve(folder)} can't be read: ${describeError(error)}`,
      error,
    );
  }
}

export async function issue(options: IssueOptions): Promise<number> {
  const { csr, out, days, thing, kind, chain, dryRun, json } = options;
  const authority = open(options.authority);
  const request = await readCsr(csr);
  if ((thing === undefined) !== (kind === undefined)) badInput('give both --thing and --kind, or neither');
  if (thing !== undefined && !parseThingName(thing)) {
    badInput(`${thing} is no server's name: give <fleet>_<node>`);
  }
  const subject =
    thing === undefined || kind === undefined ? undefined : { commonName: thing, organizationalUnit: kind };
  await checkWritable(resolve(out));
  const certificate = await issueFromCsr(authority, request, { days, subject });
  if (!dryRun) {
    writeWhole(resolve(out), chain ? certificate + authority.chainPem : certificate, 0o600);
  }
  const validTo = new Date(new X509Certificate(certificate).validTo).toISOString();
  tell(
    { json: json === true },
    { certificate: resolve(out), days, validTo, dryRun: dryRun === true },
    () => `${dryRun ? 'would write' : 'wrote'} ${resolve(out)}, valid to ${validTo}`,
  );
  return 0;
}

function storedCrl(folder: string): string | undefined {
  const { crl } = authorityFiles(resolve(folder));
  return existsSync(crl) ? readFileSync(crl, 'utf8') : undefined;
}

async function revocationsOf(
  folder: string,
  { certificatePem }: StoredAuthority,
): Promise<RevokedCertificate[]> {
  const crl = storedCrl(folder);
  if (crl === undefined) return [];
  try {
    return await readRevocations(crl, certificatePem);
  } catch (error) {
    return badInput(
      `${authorityFiles(resolve(folder)).crl} is not this authority's list; put the right one back, or move it away and write it anew ` +
        'with every certificate that was on it (beam certs crl --revoke)',
      error,
    );
  }
}

export async function writeCrl(options: CrlOptions): Promise<number> {
  const { days, dryRun, json } = options;
  const authority = open(options.authority);
  const { crl: file } = authorityFiles(resolve(options.authority));
  await revocationsOf(options.authority, authority);
  let crl = storedCrl(options.authority);
  for (const certificate of options.revoke) {
    const pem = await readPem(certificate);
    try {
      crl = await revokeIssued(authority, pem, { before: crl, nowMs: Date.now(), days });
    } catch (error) {
      badInput(`${certificate}: ${error instanceof Error ? error.message : error}`, error);
    }
  }
  if (options.revoke.length === 0) {
    crl = await revokeIssued(authority, undefined, { before: crl, nowMs: Date.now(), days });
  }
  const revoked = await readRevocations(crl ?? '', authority.certificatePem);
  if (!dryRun && crl !== undefined) writeWhole(file, crl, 0o644);
  tell(
    { json: json === true },
    { crl: file, revoked, dryRun: dryRun === true },
    () =>
      `${dryRun ? 'would write' : 'wrote'} ${file}: ${revoked.length} revoked, the next one is due in ${days} days`,
  );
  return 0;
}

export async function check(certificate: string, options: CheckOptions): Promise<number> {
  const authority = open(options.authority);
  const pem = await readPem(certificate);
  const revoked = await revocationsOf(options.authority, authority);
  const nowMs = Date.now();
  let found: ReturnType<typeof checkChain>;
  try {
    found = checkChain(pem, authority.chainPem, { nowMs, revoked });
  } catch (error) {
    return badInput(`${certificate} is no certificate in PEM`, error);
  }
  const { faults, validToMs } = found;
  const validTo = new Date(validToMs).toISOString();
  if (faults.length === 0 && validToMs - nowMs < options.withinDays * dayMs) {
    faults.push(`it, or what is above it, ends on ${validTo}: renew it before`);
  }
  tell(options.json ? { json: true } : {}, { certificate: resolve(certificate), validTo, faults }, () =>
    faults.length === 0 ? `${certificate} holds, to ${validTo}` : faults.join('\n'),
  );
  return faults.length === 0 ? 0 : exitCodes.failed;
}

export async function registerCa(options: RegisterCaOptions): Promise<number> {
  const { mode, justInTime, fleet: fleets, dryRun = false } = options;
  const authority = open(options.authority);
  if (justInTime === 'provision' && fleets.length === 0) {
    badInput('--just-in-time provision needs the fleets whose servers may come: give --fleet');
  }
  for (const fleet of fleets) {
    if (!fleetName.safeParse(fleet).success)
      badInput(`${fleet} is no fleet's name: 1 to 32 of a-z, 0-9 and -`);
  }
  return withOperator(options, async ({ iot }) => {
    const told = { certificateId: fingerprintOf(authority.certificatePem), mode, justInTime, dryRun };
    if (dryRun) {
      tell(
        options,
        told,
        `would register ${join(options.authority, 'ca.pem')} in mode ${mode}, just in time: ${justInTime}`,
      );
      return 0;
    }
    for (const fleet of fleets) await registerFleet(iot, fleet);
    const done = await registerAuthority(iot, authority, { mode, justInTime });
    tell(
      options,
      { ...told, ...done },
      () =>
        `${done.before ? 'was registered before, and is now' : 'registered'} ${done.certificateArn} in mode ${mode}, just in time: ${justInTime}`,
    );
    return 0;
  });
}

export async function removeCa(options: OwnAuthorityOptions): Promise<number> {
  const certificateId = fingerprintOf(open(options.authority).certificatePem);
  const dryRun = options.dryRun === true;
  return withOperator(options, async ({ iot }) => {
    if (!dryRun) await removeAuthority(iot, certificateId);
    tell(
      options,
      { certificateId, dryRun },
      `${dryRun ? 'would remove' : 'removed'} the authority ${certificateId}`,
    );
    return 0;
  });
}

export async function enforce(options: OwnAuthorityOptions): Promise<number> {
  const authority = open(options.authority);
  if (storedCrl(options.authority) === undefined) {
    badInput(
      `there is no ${authorityFiles(resolve(options.authority)).crl}: \`beam certs crl --revoke\` writes the list`,
    );
  }
  const revoked = await revocationsOf(options.authority, authority);
  const dryRun = options.dryRun === true;
  return withOperator(options, async ({ iot }) => {
    const done: string[] = [];
    for (const { certificateArn, certificateId, status } of await certificatesUnder(
      iot,
      fingerprintOf(authority.certificatePem),
    )) {
      if (status === 'REVOKED') continue;
      const { certificateDescription } = await iot.send(new DescribeCertificateCommand({ certificateId }));
      const pem = certificateDescription?.certificatePem;
      if (pem === undefined || !isRevoked(pem, revoked)) continue;
      if (!dryRun) await revoke(iot, certificateArn);
      done.push(certificateArn);
    }
    tell(
      options,
      { revoked: done, dryRun },
      () =>
        done.map((arn) => `${dryRun ? 'would revoke' : 'revoked'} ${arn}`).join('\n') ||
        'nothing that is registered is on the list',
    );
    return 0;
  });
}
