/** The work of `beam certs …`. */

import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { issueFromCsr, makeAuthority } from '../certs-scripts/ca.ts';
import { makeClaim } from '../certs-scripts/claim.ts';
import { registerServer } from '../certs-scripts/register.ts';
import { certificatesOf, leftBehind, revoke, rotate } from '../certs-scripts/rotate.ts';
import { x509 } from '../certs-scripts/x509.ts';
import { nodeFile, parseConfig } from '../protocol/config.ts';
import { thingName } from '../protocol/names.ts';
import { badInput, tell } from './command-line.ts';
import type {
  AuthorityOptions,
  ClaimOptions,
  CloudCommandOptions,
  IssueOptions,
  RegisterOptions,
  RetireOptions,
} from './options.ts';
import { withOperator } from './run-fleet.ts';

export async function makeCa({ out, name, days, dryRun, json }: AuthorityOptions): Promise<number> {
  const files = authorityFiles(out);
  for (const file of Object.values(files)) {
    if (existsSync(file)) badInput(`${file} is there already, and is never replaced; give another --out`);
  }
  if (!dryRun) {
    const { certificatePem, privateKeyPem } = await makeAuthority(name, { days });
    await mkdir(out, { recursive: true, mode: 0o700 });
    await writeFile(files.key, privateKeyPem, { mode: 0o600, flag: 'wx' });
    await writeFile(files.certificate, certificatePem, { mode: 0o644, flag: 'wx' });
  }
  tell(
    { json: json === true },
    { ...files, days, dryRun: dryRun === true },
    () =>
      `${dryRun ? 'would write' : 'wrote'} ${files.certificate} and ${files.key}: keep the key off every server`,
  );
  return 0;
}

function authorityFiles(folder: string) {
  return { certificate: resolve(folder, 'ca.pem'), key: resolve(folder, 'ca.key') };
}

export async function issue({ authority, csr, out, days, dryRun, json }: IssueOptions): Promise<number> {
  const files = authorityFiles(authority);
  const request = await readCsr(csr);
  const [certificatePem, privateKeyPem] = await Promise.all([readPem(files.certificate), readPem(files.key)]);
  const certificate = await issueFromCsr({ certificatePem, privateKeyPem }, request, { days });
  if (!dryRun) await writeFile(out, certificate, { mode: 0o600 });
  tell(
    { json: json === true },
    { certificate: resolve(out), days, dryRun: dryRun === true },
    () => `${dryRun ? 'would write' : 'wrote'} ${resolve(out)}, valid for ${days} days`,
  );
  return 0;
}

async function readPem(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    return badInput(`there is no ${file} to read; check the name`, error);
  }
}

/** @throws CliError where the file is no request, or not signed by its own key */
async function readCsr(file: string): Promise<string> {
  const pem = await readPem(file);
  try {
    if (await new x509.Pkcs10CertificateRequest(pem).verify()) return pem;
  } catch (error) {
    return badInput(
      `${file} is no certificate request in PEM; \`beam init\` makes one: certs/device.csr`,
      error,
    );
  }
  return badInput(`${file} is not signed by its own key; make it anew on the server`);
}

export async function registerCsr(how: 'register' | 'rotate', options: RegisterOptions): Promise<number> {
  const { fleet, node, kind, zone, out, dryRun = false } = options;
  const parsed = parseConfig(nodeFile, { fleet, node, kind, ...(zone && { zone }) }, 'the options');
  const csr = await readCsr(options.csr);
  const thing = thingName(parsed.fleet, parsed.node);
  return withOperator(options, async ({ iot }) => {
    if (dryRun) {
      tell(options, { thing, dryRun, out: resolve(out) }, `would register a certificate of ${thing}`);
      return 0;
    }
    const registration = { fleet, node, kind, zone };
    const made: { certificatePem: string; certificateArn: string; before?: string[] } =
      how === 'rotate' ? await rotate(iot, registration, csr) : await registerServer(iot, registration, csr);
    await writeFile(out, made.certificatePem, { mode: 0o600 });
    const { certificateArn, before = [] } = made;
    tell(options, { thing, certificateArn, certificate: resolve(out), before }, () =>
      [
        `wrote ${resolve(out)}: ${certificateArn}`,
        ...before.map((arn) => `when the pilot is connected with the new one: beam certs revoke ${arn}`),
      ].join('\n'),
    );
    return 0;
  });
}

export function list(thing: string, options: CloudCommandOptions): Promise<number> {
  return withOperator(options, async ({ iot }) => {
    const arns = await certificatesOf(iot, thing);
    tell(options, arns, () => arns.join('\n') || `${thing} has no certificate`);
    return 0;
  });
}

export function revokeCertificate(arn: string, options: CloudCommandOptions): Promise<number> {
  if (!/^arn:aws[\w-]*:iot:[^:]*:[^:]*:cert\/[0-9a-f]{64}$/.test(arn)) {
    badInput(`${arn} is no certificate's ARN; \`beam certs list THING\` shows them`);
  }
  const dryRun = options.dryRun === true;
  return withOperator(options, async ({ iot }) => {
    if (dryRun) {
      tell(options, { certificate: arn, dryRun }, `would revoke ${arn}`);
      return 0;
    }
    const { things } = await revoke(iot, arn);
    tell(
      options,
      { certificate: arn, things },
      () => `revoked; it was of ${things.join(', ') || 'no thing'}`,
    );
    return 0;
  });
}

export function claim(options: ClaimOptions): Promise<number> {
  const { out, dryRun = false } = options;
  const files = { certificate: resolve(out, 'claim.pem.crt'), key: resolve(out, 'claim.key') };
  for (const file of Object.values(files)) {
    if (existsSync(file)) badInput(`${file} is there already, and is never replaced; give another --out`);
  }
  return withOperator(options, async ({ iot }) => {
    if (dryRun) {
      tell(options, { ...files, dryRun }, `would make a claim certificate in ${resolve(out)}`);
      return 0;
    }
    const { certificateArn, certificatePem, privateKeyPem } = await makeClaim(iot);
    await mkdir(out, { recursive: true, mode: 0o700 });
    await writeFile(files.key, privateKeyPem, { mode: 0o600, flag: 'wx' });
    await writeFile(files.certificate, certificatePem, { mode: 0o600, flag: 'wx' });
    tell(options, { ...files, certificateArn }, () =>
      [
        `wrote ${files.certificate} and ${files.key}: ${certificateArn}`,
        'for a server: certs/claim.pem.crt and certs/claim.key of its Beam home, then `beam register` there',
      ].join('\n'),
    );
    return 0;
  });
}

export function retire(thing: string, options: RetireOptions): Promise<number> {
  const { keep, dryRun = false } = options;
  return withOperator(options, async ({ iot }) => {
    const { kept, old } = await leftBehind(iot, thing, keep);
    if (!dryRun) for (const arn of old) await revoke(iot, arn);
    tell(options, { thing, kept, revoked: old, dryRun }, () =>
      [
        `${thing} keeps ${kept}`,
        ...old.map((arn) => `${dryRun ? 'would revoke' : 'revoked'} ${arn}`),
        ...(old.length === 0 ? ['there is no other'] : []),
      ].join('\n'),
    );
    return 0;
  });
}
