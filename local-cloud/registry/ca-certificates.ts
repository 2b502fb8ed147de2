/**
 * Certificates of authorities that are registered, so that what they sign can be (AWS IoT developer guide, "Manage your CA
 * certificates"). An authority proves that it has its key by signing a certificate over the registration code (mode DEFAULT),
 * or is taken as it is, as several accounts may register it (mode SNI_ONLY).
 */

import { randomBytes, randomUUID, type X509Certificate } from 'node:crypto';
import { MalformedTemplate, parseTemplate } from '../engines/provisioning-template.ts';
import type { Store } from '../store/store.ts';
import { arn } from './arns.ts';
import { AwsError, alreadyExists, invalidRequest, notFound } from './aws-error.ts';
import { certificateIdOf, messageOf, parseCertificatePem } from './certificate-pem.ts';
import type { ProvisioningTemplates } from './provisioning-templates.ts';
import type { CaCertificateRecord, CertificateMode, RegistrationConfig } from './records.ts';
import { nowSeconds } from './things.ts';

/** AWS: registered CA certificates with one subject and key. */
const sameSubjectMax = 10;
const codeKey = 'code';
const curves = ['prime256v1', 'secp384r1', 'secp521r1'];
const rsaBitsMin = 2048;

const invalidCertificate = (message: string) => new AwsError(400, 'CertificateValidationException', message);

export interface NewCaCertificate {
  caCertificate: string;
  verificationCertificate?: string | undefined;
  certificateMode?: CertificateMode | undefined;
  setAsActive: boolean;
  allowAutoRegistration: boolean;
  registrationConfig?: RegistrationConfig | undefined;
}

export interface CaCertificateChange {
  newStatus?: CaCertificateRecord['status'] | undefined;
  newAutoRegistrationStatus?: CaCertificateRecord['autoRegistrationStatus'] | undefined;
  registrationConfig?: RegistrationConfig | undefined;
  removeAutoRegistration?: boolean | undefined;
}

/** A signature is not enough: a certificate that may not sign others must not vouch for one. */
export function isSignedBy(certificate: X509Certificate, authority: X509Certificate): boolean {
  return authority.ca && certificate.checkIssued(authority) && certificate.verify(authority.publicKey);
}

export class CaCertificates {
  #store: Store;
  #templates: ProvisioningTemplates;
  /** Parsed once: each connection of an unknown certificate looks through them. */
  #parsed = new Map<string, X509Certificate>();

  constructor(store: Store, templates: ProvisioningTemplates) {
    this.#store = store;
    this.#templates = templates;
  }

  find(certificateId: string): CaCertificateRecord | undefined {
    return this.#store.caCertificates.get(certificateId);
  }

  get(certificateId: string): CaCertificateRecord {
    const record = this.find(certificateId);
    if (!record) throw notFound(`The CA certificate does not exist: ${certificateId}`);
    return record;
  }

  *list(): Generator<CaCertificateRecord> {
    yield* this.#store.caCertificates.values();
  }

  /** The registered authorities that signed a certificate: several, where one key and subject has several certificates. */
  signersOf(certificate: X509Certificate): CaCertificateRecord[] {
    return [...this.list()].filter((record) => isSignedBy(certificate, this.#certificateOf(record)));
  }

  /** The same one until it is deleted. */
  async registrationCode(): Promise<string> {
    return this.#store.transact(() => {
      const before = this.#store.registrationCodes.get(codeKey);
      if (before !== undefined) return before;
      const code = randomBytes(32).toString('hex');
      this.#store.registrationCodes.set(codeKey, code);
      return code;
    });
  }

  async deleteRegistrationCode(): Promise<void> {
    await this.#store.registrationCodes.remove(codeKey);
  }

  async register(given: NewCaCertificate): Promise<CaCertificateRecord> {
    const mode = given.certificateMode ?? 'DEFAULT';
    const authority = parseCertificatePem(given.caCertificate);
    checkAuthority(authority);
    if (mode === 'DEFAULT') this.#checkVerification(authority, given.verificationCertificate);
    else if (given.verificationCertificate !== undefined) {
      throw invalidRequest('A verification certificate is of certificateMode DEFAULT, not of SNI_ONLY');
    }
    this.#checkConfig(given.registrationConfig);
    const certificateId = certificateIdOf(authority.raw);
    const now = nowSeconds();
    const record: CaCertificateRecord = {
      certificateId,
      pem: authority.toString(),
      status: given.setAsActive ? 'ACTIVE' : 'INACTIVE',
      autoRegistrationStatus: given.allowAutoRegistration ? 'ENABLE' : 'DISABLE',
      mode,
      ...(given.registrationConfig && { registrationConfig: given.registrationConfig }),
      customerVersion: 1,
      generationId: randomUUID(),
      createdAt: now,
      modifiedAt: now,
      notBefore: Date.parse(authority.validFrom) / 1000,
      notAfter: Date.parse(authority.validTo) / 1000,
    };
    await this.#store.transact(() => {
      if (this.#store.caCertificates.has(certificateId)) {
        throw alreadyExists(
          `The CA certificate is already registered: ${certificateId}`,
          certificateId,
          arn('cacert', certificateId),
        );
      }
      const alike = [...this.list()].filter((other) =>
        hasSameSubjectAndKey(authority, this.#certificateOf(other)),
      );
      if (alike.length >= sameSubjectMax) {
        throw new AwsError(
          410,
          'LimitExceededException',
          `${sameSubjectMax} CA certificates with this subject and key are registered already: delete one`,
        );
      }
      this.#store.caCertificates.set(certificateId, record);
    });
    return record;
  }

  async update(certificateId: string, change: CaCertificateChange): Promise<void> {
    this.#checkConfig(change.registrationConfig);
    await this.#store.transact(() => {
      const { registrationConfig: before, ...record } = this.get(certificateId);
      const config = change.registrationConfig ?? (change.removeAutoRegistration ? undefined : before);
      this.#store.caCertificates.set(certificateId, {
        ...record,
        ...(config && { registrationConfig: config }),
        status: change.newStatus ?? record.status,
        autoRegistrationStatus:
          change.newAutoRegistrationStatus ??
          (change.removeAutoRegistration ? 'DISABLE' : record.autoRegistrationStatus),
        customerVersion: record.customerVersion + 1,
        modifiedAt: nowSeconds(),
      });
    });
  }

  /** Certificates that it signed and that are registered stay. */
  async delete(certificateId: string): Promise<void> {
    await this.#store.transact(() => {
      if (this.get(certificateId).status === 'ACTIVE') {
        throw new AwsError(
          406,
          'CertificateStateException',
          `CA certificate must be deactivated (not ACTIVE) before deletion: ${certificateId}`,
        );
      }
      this.#store.tags.unset(arn('cacert', certificateId));
      this.#store.caCertificates.unset(certificateId);
    });
    this.#parsed.delete(certificateId);
  }

  #certificateOf({ certificateId, pem }: CaCertificateRecord): X509Certificate {
    const known = this.#parsed.get(certificateId);
    if (known) return known;
    const parsed = parseCertificatePem(pem);
    this.#parsed.set(certificateId, parsed);
    return parsed;
  }

  #checkVerification(authority: X509Certificate, pem: string | undefined): void {
    if (pem === undefined) {
      throw invalidRequest(
        'certificateMode DEFAULT needs a verificationCertificate, signed by the CA, whose common name is the registration code; SNI_ONLY needs none',
      );
    }
    const verification = parseCertificatePem(pem);
    if (!verification.checkIssued(authority) || !verification.verify(authority.publicKey)) {
      throw invalidCertificate('The verification certificate is not signed by the CA certificate');
    }
    checkTime(verification, 'verification certificate');
    const code = this.#store.registrationCodes.get(codeKey);
    if (code === undefined || verification.toLegacyObject().subject.CN !== code) {
      throw new AwsError(
        400,
        'RegistrationCodeValidationException',
        "The common name of the verification certificate is not this account's registration code (GetRegistrationCode)",
      );
    }
  }

  #checkConfig(config: RegistrationConfig | undefined): void {
    if (!config) return;
    const { templateBody, templateName, roleArn } = config;
    if (templateBody !== undefined && templateName !== undefined) {
      throw invalidRequest('registrationConfig has either templateBody or templateName');
    }
    if (templateBody !== undefined) {
      if (roleArn === undefined)
        throw invalidRequest('registrationConfig with a templateBody needs a roleArn');
      try {
        parseTemplate(templateBody);
      } catch (error) {
        if (error instanceof MalformedTemplate) throw invalidRequest(error.message);
        throw error;
      }
    }
    if (templateName !== undefined && this.#templates.get(templateName).type !== 'JITP') {
      throw invalidRequest(`The provisioning template ${templateName} is not of type JITP`);
    }
  }
}

function checkTime(certificate: X509Certificate, what: string): void {
  const now = Date.now();
  if (now >= Date.parse(certificate.validTo))
    throw invalidCertificate(`The ${what} expired on ${certificate.validTo}`);
  if (now < Date.parse(certificate.validFrom)) {
    throw invalidCertificate(`The ${what} is valid from ${certificate.validFrom} on only`);
  }
}

function checkAuthority(certificate: X509Certificate): void {
  if (!certificate.ca) {
    throw invalidCertificate(
      'The certificate is of no CA: its basic constraints do not let it sign certificates',
    );
  }
  checkTime(certificate, 'CA certificate');
  let fits = false;
  try {
    const { asymmetricKeyType, asymmetricKeyDetails } = certificate.publicKey;
    fits =
      asymmetricKeyType === 'rsa'
        ? (asymmetricKeyDetails?.modulusLength ?? 0) >= rsaBitsMin
        : asymmetricKeyType === 'ec' && curves.includes(asymmetricKeyDetails?.namedCurve ?? '');
  } catch (error) {
    throw invalidCertificate(`The key of the CA certificate can't be read: ${messageOf(error)}`);
  }
  if (!fits)
    throw invalidCertificate('The key must be RSA of 2,048 bits or more, or ECC P-256, P-384 or P-521');
}

function hasSameSubjectAndKey(one: X509Certificate, other: X509Certificate): boolean {
  return one.subject === other.subject && one.publicKey.equals(other.publicKey);
}
