/** Device certificates: issued from a CSR, made with a key, or registered as they are. */

import { createHash, X509Certificate } from 'node:crypto';
import { pairKey, type Store } from '../store/store.ts';
import type { Issuer } from '../tls/issuer.ts';
import { arn } from './arns.ts';
import { AwsError, deleteConflict, invalidRequest, notFound } from './aws-error.ts';
import {
  type CertificateRecord,
  type CertificateStatus,
  certificateStatuses,
  type SettableStatus,
} from './records.ts';
import { nowSeconds } from './things.ts';

export function certificateIdOf(der: Uint8Array): string {
  return createHash('sha256').update(der).digest('hex');
}

export function parseStatus(text: string): SettableStatus {
  const status = certificateStatuses.find((name) => name === text);
  if (!status) throw invalidRequest(`Status '${text}' is not one of ${certificateStatuses.join(', ')}`);
  return status;
}

export class Certificates {
  #store: Store;
  #issuer: Issuer;
  #changed: () => void;

  constructor(store: Store, issuer: Issuer, changed: () => void) {
    this.#store = store;
    this.#issuer = issuer;
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
    return this.#add(await this.#issue(csrPem), { status: active ? 'ACTIVE' : 'INACTIVE' }, true);
  }

  async createWithKeys(
    active: boolean,
  ): Promise<{ record: CertificateRecord; privateKeyPem: string; publicKeyPem: string }> {
    const { certificatePem, privateKeyPem, publicKeyPem } = await this.#issuer.withNewKey();
    const record = await this.#add(certificatePem, { status: active ? 'ACTIVE' : 'INACTIVE' }, true);
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
    const pending = { status: 'PENDING_ACTIVATION', pendingUntil } as const;
    if (csrPem !== undefined) {
      return { record: await this.#add(await this.#issue(csrPem), pending, true) };
    }
    const { certificatePem, privateKeyPem } = await this.#issuer.withNewKey();
    return { record: await this.#add(certificatePem, pending, true), privateKeyPem };
  }

  /** Deletes what fleet provisioning made and nobody registered a thing with in time. */
  async forgetPending(now = nowSeconds()): Promise<void> {
    const isOver = (record: CertificateRecord | undefined) =>
      record?.status === 'PENDING_ACTIVATION' &&
      record.pendingUntil !== undefined &&
      record.pendingUntil <= now;
    for (const record of [...this.list()]) {
      if (!isOver(record)) continue;
      const { certificateId } = record;
      await this.#store.transact(() => {
        if (isOver(this.find(certificateId))) this.#store.certificates.unset(certificateId);
      });
    }
  }

  /** Takes a certificate of any issuer; the connection proves that its holder has the key. */
  async register(pem: string, status: CertificateStatus): Promise<CertificateRecord> {
    return this.#add(pem, { status }, false);
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
    state: { status: CertificateStatus; pendingUntil?: number },
    issuedHere: boolean,
  ): Promise<CertificateRecord> {
    let certificate: X509Certificate;
    try {
      certificate = new X509Certificate(pem);
    } catch (error) {
      throw new AwsError(
        400,
        'CertificateValidationException',
        `The certificate is not valid PEM: ${messageOf(error)}`,
      );
    }
    const certificateId = certificateIdOf(certificate.raw);
    const record: CertificateRecord = {
      certificateId,
      pem: certificate.toString(),
      ...state,
      issuedHere,
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

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
