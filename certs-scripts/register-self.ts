/**
 * A fresh server registers itself: with a claim certificate it gets one for a key that was made here, becomes a thing, and
 * forgets the claim. Each step may be repeated; a registration that broke off is ended by calling it again.
 */

import { randomBytes, X509Certificate } from 'node:crypto';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { CertificateFileError, checkCertificateFiles } from '../protocol/certificates.ts';
import { type IdentityProof, identityParameters } from '../protocol/instance-identity.ts';
import { type NodeKind, serverTemplateName, thingName } from '../protocol/names.ts';
import { ensureDeviceKey } from './device-key.ts';
import { isOfKey, pendingFor } from './pending-certificate.ts';
import { openProvisioning, ProvisioningConnectionError, tryConnection } from './provisioning-client.ts';
import { syncFolderOf, writeServersOwn } from './write-whole.ts';

/** AWS takes some seconds from the first connection to the thing. */
const justInTimeTries = 10;
const justInTimePauseMs = 2_000;

export interface SelfRegistration {
  fleet: string;
  node: string;
  kind: NodeKind;
  zone?: string | undefined;
  /** host:port of MQTT. */
  endpoint: string;
  /** PEM; undefined: the system's authorities. */
  ca?: string | undefined;
  templateName?: string;
  /** Where the server's own are put. */
  files: { certificate: string; key: string; pending: string };
  claim: { certificate: string; key: string };
  /** Leave the claim's files where they are. */
  keepClaim?: boolean;
  /** Of an EC2 instance: what it is admitted by, where it is not by its name alone. */
  identity?: IdentityProof | undefined;
  /**
   * The certificate in place is of an authority of one's own, which the cloud registers at the first connection and refuses that;
   * it is tried again. The claim is not used.
   */
  justInTime?: boolean;
}

export interface SelfRegistered {
  thing: string;
  /** It was registered before: nothing was asked of the cloud. */
  before: boolean;
  claimForgotten: boolean;
}

/** @throws ProvisioningRefused, ProvisioningConnectionError, CertificateFileError */
export async function registerSelf(given: SelfRegistration, nowMs: number): Promise<SelfRegistered> {
  const { fleet, node, kind, zone, endpoint, ca, files, claim, identity } = given;
  const thing = thingName(fleet, node);
  const key = ensureDeviceKey(files.key);
  const before = existsSync(files.certificate) && isGood(readFileSync(files.certificate, 'utf8'), key, nowMs);
  if (!before && given.justInTime) {
    throw new CertificateFileError({
      file: files.certificate,
      what: `is no certificate for ${files.key}, or has expired`,
      remedy: `issue one for this server's request: beam certs issue --thing ${thing}`,
      replaceable: true,
    });
  }
  if (!before) {
    checkClaim(claim, files.certificate, nowMs);
    const client = await openProvisioning({
      endpoint,
      ca,
      clientId: `beam-claim-${randomBytes(8).toString('hex')}`,
      certificate: readFileSync(claim.certificate, 'utf8'),
      key: readFileSync(claim.key, 'utf8'),
    });
    try {
      const pending = await pendingFor(files.pending, key, thing, client, nowMs);
      const { templateName = serverTemplateName } = given;
      const parameters = {
        Fleet: fleet,
        Node: node,
        Kind: kind,
        ...(zone === undefined ? {} : { Zone: zone }),
        ...(identity && {
          [identityParameters.document]: identity.document,
          [identityParameters.signature]: identity.signature,
        }),
      };
      const named = await client.provision(templateName, pending.certificateOwnershipToken, parameters);
      if (named !== thing) {
        throw new Error(`The template ${templateName} made the thing ${named}, and this server is ${thing}.`);
      }
      writeServersOwn(files.certificate, pending.certificatePem);
    } finally {
      await client.close();
    }
  }
  const own = { endpoint, ca, clientId: thing, certificate: readFileSync(files.certificate, 'utf8'), key };
  for (let left = given.justInTime ? justInTimeTries : 1; left > 0; left--) {
    try {
      await tryConnection(own);
      break;
    } catch (error) {
      if (left === 1 || !(error instanceof ProvisioningConnectionError)) throw error;
      await delay(justInTimePauseMs);
    }
  }
  rmSync(files.pending, { force: true });
  const forget = given.keepClaim !== true && !given.justInTime && existsSync(claim.key);
  if (forget) {
    // The key first: a certificate alone opens nothing.
    for (const file of [claim.key, claim.certificate]) rmSync(file, { force: true });
    syncFolderOf(claim.key);
  }
  return { thing, before, claimForgotten: forget };
}

/** @param ownFile where a certificate lies that this server can't use, or none */
function checkClaim(claim: SelfRegistration['claim'], ownFile: string, nowMs: number): void {
  for (const file of [claim.certificate, claim.key]) {
    if (existsSync(file)) continue;
    const why = existsSync(ownFile) ? `, and ${ownFile} is not of this server's key, or has expired` : '';
    throw new CertificateFileError({
      file,
      what: `is not there${why}`,
      remedy: 'put there what `beam certs claim` wrote, and have the server admitted (`beam fleet admit`)',
      replaceable: true,
    });
  }
  try {
    checkCertificateFiles(claim, nowMs);
  } catch (error) {
    if (!(error instanceof CertificateFileError) || !error.fault.replaceable) throw error;
    const remedy = 'put there both files that `beam certs claim` wrote';
    throw new CertificateFileError({ ...error.fault, remedy }, { cause: error });
  }
}

function isGood(certificatePem: string, keyPem: string, nowMs: number): boolean {
  return isOfKey(certificatePem, keyPem) && nowMs < Date.parse(new X509Certificate(certificatePem).validTo);
}
