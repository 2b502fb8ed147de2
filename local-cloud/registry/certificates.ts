/** Device certificates: issued from a CSR, made with a key, or registered as they are. */

import type { X509Certificate } from 'node:crypto';
import { pairKey, type Store } from '../store/store.ts';
import type { Issuer } from '../tls/issuer.ts';
import { arn } from './arns.ts';
import { AwsError, deleteConflict, invalidRequest, notFound } from './aws-error.ts';
import { type CaCertificates, isSignedBy } from './ca-certificates.ts';
import { certificateIdOf, messageOf, parseCertificatePem } from './certificate-pem.ts';
import {
  type CaCertificateRecord,
  type CertificateRecord,
  type CertificateStatus,
  certificateStatuses,
  type SettableStatus,
} from './records.ts';
import { nowSeconds } from './things.ts';

export function parseStatus(text: string): SettableStatus {
  const status = certificateStatuses.find((name) => name === text);
  if (!status) throw invalidRequest(`Status '${text}' is not one of ${certificateStatuses.join(', ')}`);
  return status;
}

const invalidCertificate = (message: string) => new AwsError(400, 'CertificateValidationException', message);

export class Certificates {
  #store: Store;
  #issuer: Issuer;
  #authorities: CaCertificates;
  #changed: () => void;

  constructor(store: Store, issuer: Issuer, authorities: CaCertificates, changed: () => void) {
    this.#store = store;
    this.#issuer = issuer;
    this.#authorities = authorities;
    this.#changed = changed;
  }

  find(certificateId: string): CertificateRecord | undefined {
    return this.#store.certificates.get(certificateId);
  }

  get(certificateId: string): CertificateRecord {
    const record = this.find(certificateId);
    if (!record)
      throw notFound(`The certificate given in the certificateId does not exist: ${certificateId}`);
    return record;
  }

  *list(): Generator<CertificateRecord> {
    yield* this.#store.certificates.values();
  }

  async createFromCsr(csrPem: string, active: boolean): Promise<CertificateRecord> {
    const pem = await this.#issue(csrPem);
    return this.#add(pem, { status: active ? 'ACTIVE' : 'INACTIVE', issuedHere: true });
  }

  async createWithKeys(
    active: boolean,
  ): Promise<{ record: CertificateRecord; privateKeyPem: string; publicKeyPem: string }> {
    const { certificatePem, privateKeyPem, publicKeyPem } = await this.#issuer.withNewKey();
    const status = active ? 'ACTIVE' : 'INACTIVE';
    const record = await this.#add(certificatePem, { status, issuedHere: true });
    return { record, privateKeyPem, publicKeyPem };
  }

  /**
   * A certificate with which a device registers by one template, for some minutes, and does nothing else.
   * @param until seconds since 1970
   */
  async createClaim(
    templateName: string,
    until: number,
  ): Promise<{ record: CertificateRecord; privateKeyPem: string; publicKeyPem: string }> {
    const { certificatePem, privateKeyPem, publicKeyPem } = await this.#issuer.withNewKey();
    const claim = { templateName, until };
    const record = await this.#add(certificatePem, { status: 'ACTIVE', issuedHere: true, claim });
    return { record, privateKeyPem, publicKeyPem };
  }

  /**
   * For fleet provisioning: a certificate that no connection may use until a thing is registered with it.
   * @param csrPem left out: its key is made here
   */
  async createPending(
    csrPem: string | undefined,
    pendingUntil: number,
  ): Promise<{ record: CertificateRecord; privateKeyPem?: string }> {
    const pending = { status: 'PENDING_ACTIVATION', issuedHere: true, pendingUntil } as const;
    if (csrPem !== undefined) {
      return { record: await this.#add(await this.#issue(csrPem), pending) };
    }
    const { certificatePem, privateKeyPem } = await this.#issuer.withNewKey();
    return { record: await this.#add(certificatePem, pending), privateKeyPem };
  }

  /** Deletes what fleet provisioning made and nobody registered a thing with in time, and claims that are over. */
  async forgetPending(now = nowSeconds()): Promise<void> {
    const isOver = (record: CertificateRecord | undefined) =>
      (record?.status === 'PENDING_ACTIVATION' &&
        record.pendingUntil !== undefined &&
        record.pendingUntil <= now) ||
      (record?.claim !== undefined && record.claim.until <= now);
    const over = [...this.list()].filter(isOver);
    for (const { certificateId } of over) {
      await this.#store.transact(() => {
        if (isOver(this.find(certificateId))) this.#store.certificates.unset(certificateId);
      });
    }
    if (over.some(({ claim }) => claim !== undefined)) this.#changed();
  }

  /** Takes a certificate of any issuer; the connection proves that its holder has the key. */
  async register(pem: string, status: CertificateStatus): Promise<CertificateRecord> {
    return this.#add(pem, { status, issuedHere: false });
  }

  /**
   * Takes a certificate that a registered authority signed.
   * @param caPem which one; needed where several have its subject and key
   */
  async registerSigned(
    pem: string,
    status: CertificateStatus,
    caPem: string | undefined,
  ): Promise<CertificateRecord> {
    const certificate = parseCertificatePem(pem);
    const authority =
      caPem === undefined ? this.#onlySigner(certificate) : this.#namedSigner(certificate, caPem);
    if (authority.status !== 'ACTIVE') {
      throw new AwsError(
        406,
        'CertificateStateException',
        `The CA certificate is ${authority.status}: ${authority.certificateId}`,
      );
    }
    const { certificateId: caCertificateId, mode } = authority;
    return this.#add(pem, { status, issuedHere: false, caCertificateId, mode });
  }

  /** Just-in-time registration: nobody connects with it until it is activated. */
  async registerJustInTime(
    certificate: X509Certificate,
    { certificateId: caCertificateId, mode }: CaCertificateRecord,
  ): Promise<CertificateRecord> {
    const pending = { status: 'PENDING_ACTIVATION', issuedHere: false, caCertificateId, mode } as const;
    return this.#add(certificate.toString(), pending);
  }

  #namedSigner(certificate: X509Certificate, caPem: string): CaCertificateRecord {
    const named = parseCertificatePem(caPem);
    const authority = this.#authorities.find(certificateIdOf(named.raw));
    if (!authority) {
      throw invalidCertificate(`The CA certificate is not registered: ${certificateIdOf(named.raw)}`);
    }
    if (!isSignedBy(certificate, named)) {
      throw invalidCertificate(
        `The certificate is not signed by the CA certificate: ${authority.certificateId}`,
      );
    }
    return authority;
  }

  #onlySigner(certificate: X509Certificate): CaCertificateRecord {
    const [authority, ...others] = this.#authorities.signersOf(certificate);
    if (!authority) {
      throw invalidCertificate(
        'No registered CA certificate has signed the certificate: register it (RegisterCACertificate), or use RegisterCertificateWithoutCA',
      );
    }
    if (others.length > 0) {
      throw new AwsError(
        409,
        'CertificateConflictException',
        'More than one registered CA certificate has signed the certificate: name one with caCertificatePem',
      );
    }
    return authority;
  }

  async update(certificateId: string, status: CertificateStatus): Promise<void> {
    await this.#store.transact(() => {
      const { pendingUntil: _over, ...record } = this.get(certificateId);
      this.#store.certificates.set(certificateId, { ...record, status, modifiedAt: nowSeconds() });
    });
    this.#changed();
  }

  async delete(certificateId: string, force: boolean): Promise<void> {
    await this.#store.transact(() => {
      const record = this.get(certificateId);
      if (record.status === 'ACTIVE') {
        throw new AwsError(
          406,
          'CertificateStateException',
          `Certificate must be deactivated (not ACTIVE) before deletion: ${certificateId}`,
        );
      }
      const things = [...this.#store.principalThings.pairedWith(certificateId)];
      const target = arn('cert', certificateId);
      const policies = [...this.#store.targetPolicies.pairedWith(target)];
      if (things.length > 0) {
        throw deleteConflict(`Things must be detached before deletion (certificate ${certificateId})`);
      }
      if (policies.length > 0 && !force) {
        throw deleteConflict(
          `Certificate policies must be detached before deletion (certificate ${certificateId})`,
        );
      }
      for (const policy of policies) {
        this.#store.policyTargets.unset(pairKey(policy, target));
        this.#store.targetPolicies.unset(pairKey(target, policy));
      }
      this.#store.certificates.unset(certificateId);
    });
    this.#changed();
  }

  async #issue(csrPem: string): Promise<string> {
    try {
      return await this.#issuer.fromCsr(csrPem);
    } catch (error) {
      throw invalidRequest(`The certificate signing request is not valid: ${messageOf(error)}`);
    }
  }

  async #add(
    pem: string,
    state: Pick<
      CertificateRecord,
      'status' | 'issuedHere' | 'pendingUntil' | 'caCertificateId' | 'mode' | 'claim'
    >,
  ): Promise<CertificateRecord> {
    const certificate = parseCertificatePem(pem);
    const certificateId = certificateIdOf(certificate.raw);
    const record: CertificateRecord = {
      certificateId,
      pem: certificate.toString(),
      ...state,
      createdAt: nowSeconds(),
      modifiedAt: nowSeconds(),
      notBefore: Date.parse(certificate.validFrom) / 1000,
      notAfter: Date.parse(certificate.validTo) / 1000,
    };
    await this.#store.transact(() => {
      if (this.#store.certificates.has(certificateId)) {
        throw new AwsError(
          409,
          'ResourceAlreadyExistsException',
          `The certificate is already registered: ${certificateId}`,
          { resourceId: certificateId, resourceArn: arn('cert', certificateId) },
        );
      }
      this.#store.certificates.set(certificateId, record);
    });
    this.#changed();
    return record;
  }
}
