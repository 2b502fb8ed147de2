/** The control API's operations on certificates, those of authorities included, and on the things that they are attached to. */

import * as z from 'zod';
import { accountId, arn, nameInArn } from '../registry/arns.ts';
import { invalidRequest, notImplemented } from '../registry/aws-error.ts';
import { parseStatus } from '../registry/certificates.ts';
import type { CertificateRecord } from '../registry/records.ts';
import type { Registry } from '../registry/registry.ts';
import { caCertificateOperations } from './ca-certificates-api.ts';
import {
  certificateId,
  certificateKey,
  certificateSummary,
  markedBy,
  marking,
} from './certificate-summary.ts';
import { type Handler, operation, queryBoolean, queryNumber } from './operation.ts';
import { page } from './page.ts';

/** How certificates are attached here; an exclusive attachment is refused by name. */
const thingPrincipalType = 'NON_EXCLUSIVE_THING';
const typedPaging = {
  nextToken: z.string().optional(),
  maxResults: queryNumber.optional(),
  thingPrincipalType: z.enum(['EXCLUSIVE_THING', 'NON_EXCLUSIVE_THING']).optional(),
};

function ofType(wanted: string | undefined, names: () => Iterable<string>): Iterable<string> {
  return wanted === 'EXCLUSIVE_THING' ? [] : names();
}

/** AWS's members for a new certificate. */
function certificateNames({ certificateId, pem }: CertificateRecord) {
  return { certificateArn: arn('cert', certificateId), certificateId, certificatePem: pem };
}

export function certificateOfPrincipal(principal: string): string {
  const certificateId = nameInArn('cert', principal);
  if (certificateId === undefined) {
    throw invalidRequest(`The principal must be the ARN of a certificate: ${principal}`);
  }
  return certificateId;
}

export function certificateOperations(registry: Registry): [string, Handler][] {
  const { things, certificates } = registry;
  const thingName = z.string();
  const principal = z.string();
  return [
    ...caCertificateOperations(registry),
    operation('CreateKeysAndCertificate', { setAsActive: queryBoolean.default(false) }, async (input) => {
      const made = await certificates.createWithKeys(input.setAsActive);
      return {
        ...certificateNames(made.record),
        keyPair: { PublicKey: made.publicKeyPem, PrivateKey: made.privateKeyPem },
      };
    }),
    operation(
      'CreateCertificateFromCsr',
      { certificateSigningRequest: z.string().min(1), setAsActive: queryBoolean.default(false) },
      async (input) =>
        certificateNames(
          await certificates.createFromCsr(input.certificateSigningRequest, input.setAsActive),
        ),
    ),
    operation(
      'RegisterCertificateWithoutCA',
      { certificatePem: z.string().min(1), status: z.string().default('INACTIVE') },
      async (input) => {
        const { certificateArn, certificateId: id } = certificateNames(
          await certificates.register(input.certificatePem, parseStatus(input.status)),
        );
        return { certificateArn, certificateId: id };
      },
    ),
    operation(
      'RegisterCertificate',
      {
        certificatePem: z.string().min(1),
        caCertificatePem: z.string().optional(),
        setAsActive: queryBoolean.optional(),
        status: z.string().optional(),
      },
      async (input) => {
        const { certificatePem, caCertificatePem } = input;
        const status = parseStatus(input.status ?? (input.setAsActive ? 'ACTIVE' : 'INACTIVE'));
        const { certificateArn, certificateId: id } = certificateNames(
          await certificates.registerSigned(certificatePem, status, caCertificatePem),
        );
        return { certificateArn, certificateId: id };
      },
    ),
    operation('DescribeCertificate', { certificateId }, (input) => {
      const record = certificates.get(input.certificateId);
      return {
        certificateDescription: {
          ...certificateSummary(record),
          certificatePem: record.pem,
          caCertificateId: record.caCertificateId,
          ownedBy: accountId,
          lastModifiedDate: record.modifiedAt,
          customerVersion: 1,
          validity: { notBefore: record.notBefore, notAfter: record.notAfter },
        },
      };
    }),
    operation('ListCertificates', marking, (input) => {
      // A provisioning claim is no certificate of the account's.
      const listed = [...certificates.list()].filter(({ claim }) => claim === undefined);
      const { items, next } = page('ListCertificates', listed, certificateKey, markedBy(input));
      return { certificates: items.map(certificateSummary), nextMarker: next };
    }),
    operation('UpdateCertificate', { certificateId, newStatus: z.string() }, async (input) => {
      await certificates.update(input.certificateId, parseStatus(input.newStatus));
      return {};
    }),
    operation(
      'DeleteCertificate',
      { certificateId, forceDelete: queryBoolean.default(false) },
      async (input) => {
        await certificates.delete(input.certificateId, input.forceDelete);
        return {};
      },
    ),
    operation(
      'AttachThingPrincipal',
      { thingName, principal, thingPrincipalType: z.string().optional() },
      async (input) => {
        if (input.thingPrincipalType === 'EXCLUSIVE_THING') {
          throw notImplemented('thingPrincipalType EXCLUSIVE_THING of AttachThingPrincipal');
        }
        await things.attach(input.thingName, certificateOfPrincipal(input.principal));
        return {};
      },
    ),
    operation('DetachThingPrincipal', { thingName, principal }, async (input) => {
      await things.detach(input.thingName, certificateOfPrincipal(input.principal));
      return {};
    }),
    operation(
      'ListThingPrincipals',
      { thingName, nextToken: z.string().optional(), maxResults: queryNumber.optional() },
      (input) => {
        const { items, next } = page(
          'ListThingPrincipals',
          things.certificatesOf(input.thingName),
          (id) => id,
          { token: input.nextToken, size: input.maxResults },
        );
        return { principals: items.map((id) => arn('cert', id)), nextToken: next };
      },
    ),
    operation('ListThingPrincipalsV2', { thingName, ...typedPaging }, (input) => {
      const { items, next } = page(
        'ListThingPrincipalsV2',
        ofType(input.thingPrincipalType, () => things.certificatesOf(input.thingName)),
        (id) => id,
        { token: input.nextToken, size: input.maxResults },
      );
      const thingPrincipalObjects = items.map((id) => ({ principal: arn('cert', id), thingPrincipalType }));
      return { thingPrincipalObjects, nextToken: next };
    }),
    operation('ListPrincipalThingsV2', { principal, ...typedPaging }, (input) => {
      const { items, next } = page(
        'ListPrincipalThingsV2',
        ofType(input.thingPrincipalType, () => things.thingsOf(certificateOfPrincipal(input.principal))),
        (name) => name,
        { token: input.nextToken, size: input.maxResults },
      );
      const principalThingObjects = items.map((name) => ({ thingName: name, thingPrincipalType }));
      return { principalThingObjects, nextToken: next };
    }),
    operation(
      'ListPrincipalThings',
      { principal, nextToken: z.string().optional(), maxResults: queryNumber.optional() },
      (input) => {
        const names = things.thingsOf(certificateOfPrincipal(input.principal));
        const { items, next } = page('ListPrincipalThings', names, (name) => name, {
          token: input.nextToken,
          size: input.maxResults,
        });
        return { things: items, nextToken: next };
      },
    ),
  ];
}
