/**
 * A server takes a further certificate for a new key, with the one that it has, and puts both in their place as one. The
 * old one stays valid: the running pilot changes over without a gap, then an operator retires it.
 */

import { randomBytes, X509Certificate } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { checkCertificateFiles } from '../protocol/certificates.ts';
import { rotateTemplateName } from '../protocol/names.ts';
import { ensureDeviceKey } from './device-key.ts';
import { nextPairFolder, type PairFiles, switchPair } from './key-pair-folder.ts';
import { pendingFor } from './pending-certificate.ts';
import { openProvisioning } from './provisioning-client.ts';
import { writeServersOwn } from './write-whole.ts';

export interface Renewal {
  thing: string;
  /** host:port of MQTT. */
  endpoint: string;
  /** PEM file; undefined: the system's authorities. */
  ca?: string | undefined;
  files: PairFiles;
  templateName?: string;
  /** Renewed only where less than this is left, ms; undefined: now. */
  whenLeftMs?: number | undefined;
}

export interface Renewed {
  renewed: boolean;
  /** Of the certificate in place, ms since 1970. */
  validToMs: number;
}

/** @throws ProvisioningRefused, ProvisioningConnectionError, CertificateFileError */
export async function renewSelf(given: Renewal, nowMs: number): Promise<Renewed> {
  const { thing, endpoint, files, ca: caFile, whenLeftMs } = given;
  const { validToMs } = checkCertificateFiles({ ...files, ca: caFile }, nowMs);
  if (whenLeftMs !== undefined && validToMs - nowMs > whenLeftMs) return { renewed: false, validToMs };
  const folder = nextPairFolder(files);
  const key = ensureDeviceKey(join(folder, basename(files.key)));
  const pendingFile = join(folder, 'pending.json');
  const client = await openProvisioning({
    endpoint,
    clientId: `beam-rotate-${randomBytes(8).toString('hex')}`,
    certificate: readFileSync(files.certificate, 'utf8'),
    key: readFileSync(files.key, 'utf8'),
    ca: caFile === undefined ? undefined : readFileSync(caFile, 'utf8'),
  });
  try {
    const pending = await pendingFor(pendingFile, key, thing, client, nowMs);
    const { templateName = rotateTemplateName } = given;
    // The hook puts in what the registry says it is.
    const parameters = { ThingName: thing, Kind: 'sentry' };
    const named = await client.provision(templateName, pending.certificateOwnershipToken, parameters);
    if (named !== thing) throw new Error(`The template ${templateName} answered for ${named}, not ${thing}.`);
    writeServersOwn(join(folder, basename(files.certificate)), pending.certificatePem);
    rmSync(pendingFile, { force: true });
    switchPair(files, folder);
    return { renewed: true, validToMs: Date.parse(new X509Certificate(pending.certificatePem).validTo) };
  } finally {
    await client.close();
  }
}
