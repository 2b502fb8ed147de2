/**
 * Just-in-time registration and provisioning: a device whose certificate a registered authority signed is registered when it
 * first connects (AWS IoT developer guide, "Register a client certificate when the client connects", "Just-in-time
 * provisioning"). That connection is closed: the device comes again once its certificate is active.
 */

import type { X509Certificate } from 'node:crypto';
import type { Logger } from 'pino';
import {
  certificateIdParameter,
  MalformedTemplate,
  parseTemplate,
  resolveTemplate,
} from '../engines/provisioning-template.ts';
import { accountId, region } from '../registry/arns.ts';
import { AwsError, invalidRequest } from '../registry/aws-error.ts';
import { certificateIdOf } from '../registry/certificate-pem.ts';
import type { CaCertificateRecord, CertificateRecord } from '../registry/records.ts';
import { registerThing } from '../registry/register-thing.ts';
import type { Registry } from '../registry/registry.ts';

/** Registrations under way; a device that comes while there are more comes again. */
const underWayMax = 100;

/** What AWS takes of a certificate's subject, by OpenSSL's short names. */
const subjectParameters = {
  C: 'Country',
  O: 'Organization',
  OU: 'OrganizationalUnit',
  dnQualifier: 'DistinguishedNameQualifier',
  ST: 'StateName',
  CN: 'CommonName',
  serialNumber: 'SerialNumber',
} as const;

export interface JustInTimeOptions {
  registry: Registry;
  publish(topic: string, payload: Buffer): void;
  nowMs: () => number;
  log: Logger;
}

export interface JustInTime {
  /**
   * Takes a connection whose certificate may not be used. Never throws.
   * @param serverName what the client asked for by SNI
   * @returns what was done; undefined where the certificate is none of its business
   */
  meet(certificate: X509Certificate, serverName: string | undefined): Promise<string | undefined>;
}

export function createJustInTime({ registry, publish, nowMs, log }: JustInTimeOptions): JustInTime {
  const { authorities, certificates, templates } = registry;
  let underWay = 0;

  function isGood(authority: CaCertificateRecord | undefined): authority is CaCertificateRecord {
    const now = nowMs() / 1000;
    return (
      authority?.status === 'ACTIVE' &&
      authority.autoRegistrationStatus === 'ENABLE' &&
      authority.notBefore <= now &&
      now < authority.notAfter
    );
  }

  function isInTime(certificate: X509Certificate): boolean {
    return Date.parse(certificate.validFrom) <= nowMs() && nowMs() < Date.parse(certificate.validTo);
  }

  function announce(record: CertificateRecord, authority: CaCertificateRecord): void {
    const { certificateId: caCertificateId } = authority;
    publish(
      `$aws/events/certificates/registered/${caCertificateId}`,
      Buffer.from(
        JSON.stringify({
          certificateId: record.certificateId,
          caCertificateId,
          timestamp: nowMs(),
          certificateStatus: record.status,
          awsAccountId: accountId,
          certificateRegistrationTimestamp: String(Math.round(record.createdAt * 1000)),
        }),
      ),
    );
  }

  /** @throws AwsError where the template does not make a thing of it */
  async function provision(
    certificate: X509Certificate,
    { certificateId }: CertificateRecord,
    { registrationConfig: config }: CaCertificateRecord,
  ): Promise<string | undefined> {
    if (config?.templateBody === undefined && config?.templateName === undefined) return undefined;
    const plan = planOf(
      config,
      new Map([...subjectOf(certificate), [certificateIdParameter, certificateId]]),
    );
    const source = plan.certificate?.from;
    if (!source || !('id' in source) || source.id !== certificateId) {
      throw invalidRequest(
        `The template must have a certificate whose CertificateId is {"Ref":"${certificateIdParameter}"}`,
      );
    }
    const { thingName } = await registerThing(registry, plan);
    return thingName;
  }

  function planOf(
    {
      templateBody,
      templateName = '',
    }: { templateBody?: string | undefined; templateName?: string | undefined },
    parameters: ReadonlyMap<string, string>,
  ) {
    if (templateBody === undefined && !templates.get(templateName).enabled) {
      throw invalidRequest(`The provisioning template ${templateName} is not enabled`);
    }
    try {
      return resolveTemplate(
        templateBody === undefined ? templates.current(templateName) : parseTemplate(templateBody),
        parameters,
        new Map([
          ['AWS::Region', region],
          ['AWS::AccountId', accountId],
        ]),
      );
    } catch (error) {
      if (error instanceof MalformedTemplate) throw invalidRequest(error.message);
      throw error;
    }
  }

  async function register(
    certificate: X509Certificate,
    serverName: string | undefined,
  ): Promise<string | undefined> {
    const id = certificateIdOf(certificate.raw);
    const known = certificates.find(id);
    if (known && (known.status !== 'PENDING_ACTIVATION' || known.caCertificateId === undefined))
      return undefined;
    const authority = known
      ? authorities.find(known.caCertificateId ?? '')
      : authorities.signersOf(certificate).find(isGood);
    if (!isGood(authority)) return undefined;
    if (!isInTime(certificate)) return 'the certificate is expired or not yet valid: not registered';
    if (authority.mode === 'SNI_ONLY' && serverName === undefined) {
      return 'a CA of mode SNI_ONLY: the client must name the server in TLS (SNI); not registered';
    }
    const record = known ?? (await certificates.registerJustInTime(certificate, authority));
    announce(record, authority);
    const thingName = await provision(certificate, record, authority);
    return thingName === undefined
      ? 'registered just in time: PENDING_ACTIVATION'
      : `registered just in time as ${thingName}: it may come again`;
  }

  return {
    async meet(certificate, serverName) {
      if (underWay >= underWayMax) return 'too many certificates are being registered: it may come again';
      underWay++;
      try {
        return await register(certificate, serverName);
      } catch (error) {
        if (!(error instanceof AwsError)) {
          log.error({ err: error }, 'just-in-time registration failed');
          return 'just-in-time registration failed: see the log';
        }
        return `not provisioned just in time: ${error.message}`;
      } finally {
        underWay--;
      }
    },
  };
}

/** Where a name comes several times, its first value. */
function* subjectOf(certificate: X509Certificate): Generator<[string, string]> {
  const subject = new Map<string, unknown>(Object.entries(certificate.toLegacyObject().subject));
  for (const [short, name] of Object.entries(subjectParameters)) {
    const value = subject.get(short);
    const first: unknown = Array.isArray(value) ? value[0] : value;
    if (typeof first === 'string') yield [`AWS::IoT::Certificate::${name}`, first];
  }
}
