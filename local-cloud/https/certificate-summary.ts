/** What lists of certificates take and show. */

import * as z from 'zod';
import { arn } from '../registry/arns.ts';
import type { CertificateRecord } from '../registry/records.ts';
import { queryBoolean, queryNumber } from './operation.ts';
import { type Asked, byTime } from './page.ts';

export const certificateId = z.string().regex(/^(0x)?[a-fA-F0-9]{64}$/, 'must be 64 hexadecimal digits');
export const marking = {
  marker: z.string().optional(),
  pageSize: queryNumber.optional(),
  isAscendingOrder: queryBoolean.optional(),
};

/** The newest first, unless it is asked otherwise. */
export function markedBy(input: {
  marker?: string | undefined;
  pageSize?: number | undefined;
  isAscendingOrder?: boolean | undefined;
}): Asked {
  return { token: input.marker, size: input.pageSize, isDescending: input.isAscendingOrder !== true };
}

export const certificateKey = ({ createdAt, certificateId }: { createdAt: number; certificateId: string }) =>
  byTime(createdAt, certificateId);

export function certificateSummary(record: CertificateRecord) {
  return {
    certificateArn: arn('cert', record.certificateId),
    certificateId: record.certificateId,
    status: record.status,
    certificateMode: record.mode ?? (record.issuedHere ? 'DEFAULT' : 'SNI_ONLY'),
    creationDate: record.createdAt,
  };
}
