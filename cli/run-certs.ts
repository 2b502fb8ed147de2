/** The work of `beam certs …`. */

import { existsSync, statSync } from 'node:fs';
import { access, constants, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { authorityFiles } from '../certs-scripts/authority-folder.ts';
import { certificatesIn } from '../certs-scripts/check-chain.ts';
import { makeClaim } from '../certs-scripts/claim.ts';
import { type OwnCertificate, registerServer } from '../certs-scripts/register.ts';
import { certificatesOf, leftBehind, revoke, rotate } from '../certs-scripts/rotate.ts';
import { x509 } from '../certs-scripts/x509.ts';
import { nodeFile, parseConfig } from '../protocol/config.ts';
import { thingName } from '../protocol/names.ts';
import { badInput, tell } from './command-line.ts';
import { describeError } from './errors.ts';
import type { ClaimOptions, CloudCommandOptions, RegisterOptions, RetireOptions } from './options.ts';
import { withOperator } from './run-fleet.ts';

export async function readPem(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return badInput(
      code === 'ENOENT'
        ? `there is no ${file} to read; check the name`
        : `${file} can't be read: ${describeError(error)}`,
      error,
    );
  }
}

/** @throws CliError where the file is no request, or not signed by its own key */
export async function readCsr(file: string): Promise<string> {
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
  const { fleet, node, kind, zone, dryRun = false } = options;
  const parsed = parseConfig(nodeFile, { fleet, node, kind, ...(zone && { zone }) }, 'the options');
  const { given, out } = await certificateGiven(options);
  const thing = thingName(parsed.fleet, parsed.node);
  return withOperator(options, async ({ iot }) => {
    if (dryRun) {
      tell(options, { thing, dryRun, certificate: out }, `would register a certificate of ${thing}`);
      return 0;
    }
    const registration = { fleet, node, kind, zone };
    const made: { certificatePem: string; certificateArn: string; before?: string[] } =
      how === 'rotate'
        ? await rotate(iot, registration, given)
        : await registerServer(iot, registration, given);
    if (typeof given === 'string') await writeFile(out, made.certificatePem, { mode: 0o600 });
    const { certificateArn, before = [] } = made;
    tell(options, { thing, certificateArn, certificate: out, before }, () =>
      [
        `${typeof given === 'string' ? 'wrote' : 'registered'} ${out}: ${certificateArn}`,
        ...before.map((arn) => `when the pilot is connected with the new one: beam certs revoke ${arn}`),
      ].join('\n'),
    );
    return 0;
  });
}

/**
 * What is made only once is asked for only where it can be kept.
 * @throws CliError where no file can be written there
 */
export async function checkWritable(file: string): Promise<void> {
  try {
    if (existsSync(file) && statSync(file).isDirectory()) badInput(`${file} is a folder: name a file`);
    await access(existsSync(file) ? file : dirname(file), constants.W_OK);
  } catch (error) {
    badInput(`${file} can't be written: ${describeError(error)}`, error);
  }
}

/** Either a request, for which AWS IoT issues a certificate, or one that an authority of one's own issued. */
async function certificateGiven({
  csr,
  certificate,
  authority,
  out,
}: RegisterOptions): Promise<{ given: string | OwnCertificate; out: string }> {
  if (csr !== undefined && out !== undefined && certificate === undefined && authority === undefined) {
    const request = await readCsr(csr);
    await checkWritable(resolve(out));
    return { given: request, out: resolve(out) };
  }
  if (certificate === undefined || csr !== undefined || out !== undefined) {
    return badInput('give --csr and --out, or --certificate of an authority of your own');
  }
  const [leaf] = certificatesIn(await readPem(certificate));
  if (!leaf) return badInput(`${certificate} is no certificate in PEM`);
  const caPem = authority === undefined ? undefined : await readPem(authorityFiles(authority).certificate);
  return { given: { certificatePem: leaf.toString(), caPem }, out: resolve(certificate) };
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
    // Before the cloud makes it: the key is told once, and a claim that nobody has stays valid there.
    await mkdir(out, { recursive: true, mode: 0o700 });
    await checkWritable(files.key);
    const { certificateArn, certificatePem, privateKeyPem } = await makeClaim(iot);
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
