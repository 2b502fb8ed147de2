/** What lists of certificates take and show. */

import * as z from 'zod';
import { arn } from '../registry/arns.ts';
import type { CertificateRecord } from '../registry/records.ts';
import { queryBoolean, queryNumber } from './operation.ts';

export const marking = {
  marker: z.string().optional(),
  pageSize: queryNumber.optional(),
  isAscendingOrder: queryBoolean.optional(),
};

export function certificateSummary(record: CertificateRecord) {
  return {
    certificateArn: arn('cert', record.certificateId),
    certificateId: record.certificateId,
    status: record.status,
    certificateMode: record.mode ?? (record.issuedHere ? 'DEFAULT' : 'SNI_ONLY'),
    creationDate: record.createdAt,
  };
}
