/** Tokens by which a device shows that a certificate was made for it: signed, so that a restart forgets none. */

import { createHmac, timingSafeEqual } from 'node:crypto';
import * as z from 'zod';

const claims = z.strictObject({ certificateId: z.string().length(64), expiresAt: z.number() });

export interface OwnershipTokens {
  /** @param expiresAt seconds since 1970 */
  issue(certificateId: string, expiresAt: number): string;
  /** @returns the certificate's id; undefined where the token is not ours, or over */
  read(token: string, now: number): string | undefined;
}

export function createOwnershipTokens(secret: string): OwnershipTokens {
  const sign = (text: string) =>
    createHmac('sha256', `certificate-ownership ${secret}`).update(text).digest();
  return {
    issue(certificateId, expiresAt) {
      const body = Buffer.from(JSON.stringify({ certificateId, expiresAt })).toString('base64url');
      return `${body}.${sign(body).toString('base64url')}`;
    },
    read(token, now) {
      const [body = '', signature = '', ...rest] = token.split('.');
      const expected = sign(body);
      const given = Buffer.from(signature, 'base64url');
      if (rest.length > 0 || given.length !== expected.length || !timingSafeEqual(given, expected)) {
        return undefined;
      }
      const parsed = claims.safeParse(JSON.parse(Buffer.from(body, 'base64url').toString()));
      return parsed.success && now < parsed.data.expiresAt ? parsed.data.certificateId : undefined;
    },
  };
}
