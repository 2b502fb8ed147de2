/** The control API's operations on certificates of authorities. */

import * as z from 'zod';
import { accountId, arn } from '../registry/arns.ts';
import type { CaCertificateRecord } from '../registry/records.ts';
import type { Registry } from '../registry/registry.ts';
import {
  certificateId,
  certificateKey,
  certificateSummary,
  markedBy,
  marking,
} from './certificate-summary.ts';
import { type Handler, operation, queryBoolean } from './operation.ts';
import { page } from './page.ts';
import { tagging, tagList } from './tags-api.ts';

const pem = z.string().min(1).max(65_536);
const registrationConfig = z
  .strictObject({
    templateBody: z.string().max(10_240).optional(),
    roleArn: z.string().min(20).max(2_048).optional(),
    templateName: z
      .string()
      .regex(/^[0-9A-Za-z_-]{1,36}$/)
      .optional(),
  })
  .optional();

function summary(record: CaCertificateRecord) {
  return {
    certificateArn: arn('cacert', record.certificateId),
    certificateId: record.certificateId,
    status: record.status,
    creationDate: record.createdAt,
  };
}

export function caCertificateOperations(registry: Registry): [string, Handler][] {
  const { authorities, certificates } = registry;
  const tagged = tagging(registry.tags);
  return [
    operation('GetRegistrationCode', {}, async () => ({
      registrationCode: await authorities.registrationCode(),
    })),
    operation('DeleteRegistrationCode', {}, async () => {
      await authorities.deleteRegistrationCode();
      return {};
    }),
    operation(
      'RegisterCACertificate',
      {
        caCertificate: pem,
        verificationCertificate: pem.optional(),
        setAsActive: queryBoolean.default(false),
        allowAutoRegistration: queryBoolean.default(false),
        registrationConfig,
        certificateMode: z.enum(['DEFAULT', 'SNI_ONLY']).optional(),
        tags: tagList,
      },
      async ({ tags, ...input }) => {
        const { certificateId: id } = await authorities.register(input);
        const certificateArn = arn('cacert', id);
        return tagged(tags, certificateArn, async () => ({ certificateArn, certificateId: id }));
      },
    ),
    operation('DescribeCACertificate', { certificateId }, (input) => {
      const record = authorities.get(input.certificateId);
      return {
        certificateDescription: {
          ...summary(record),
          certificatePem: record.pem,
          ownedBy: accountId,
          autoRegistrationStatus: record.autoRegistrationStatus,
          lastModifiedDate: record.modifiedAt,
          customerVersion: record.customerVersion,
          generationId: record.generationId,
          validity: { notBefore: record.notBefore, notAfter: record.notAfter },
          certificateMode: record.mode,
        },
        registrationConfig: record.registrationConfig,
      };
    }),
    operation('ListCACertificates', { ...marking, templateName: z.string().optional() }, (input) => {
      const { templateName } = input;
      const wanted = [...authorities.list()].filter(
        ({ registrationConfig: config }) =>
          templateName === undefined || config?.templateName === templateName,
      );
      const { items, next } = page('ListCACertificates', wanted, certificateKey, markedBy(input));
      return { certificates: items.map(summary), nextMarker: next };
    }),
    operation('ListCertificatesByCA', { ...marking, caCertificateId: certificateId }, (input) => {
      const signed = [...certificates.list()].filter(
        ({ caCertificateId }) => caCertificateId === input.caCertificateId,
      );
      const { items, next } = page('ListCertificatesByCA', signed, certificateKey, markedBy(input));
      return { certificates: items.map(certificateSummary), nextMarker: next };
    }),
    operation(
      'UpdateCACertificate',
      {
        certificateId,
        newStatus: z.enum(['ACTIVE', 'INACTIVE']).optional(),
        newAutoRegistrationStatus: z.enum(['ENABLE', 'DISABLE']).optional(),
        registrationConfig,
        removeAutoRegistration: z.boolean().optional(),
      },
      async ({ certificateId: id, ...change }) => {
        await authorities.update(id, change);
        return {};
      },
    ),
    operation('DeleteCACertificate', { certificateId }, async (input) => {
      await authorities.delete(input.certificateId);
      return {};
    }),
  ];
}
