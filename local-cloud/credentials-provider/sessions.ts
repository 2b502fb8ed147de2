/**
 * Short-lived credentials for a role: access key, secret and session token. The token holds all that there is to know and is
 * signed, so nothing is kept and a restart forgets none.
 */

import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import * as z from 'zod';
import { remembering } from '../remembering.ts';

/** Each signer has one at a time. */
const sessionsKeptMax = 200;

const claims = z.strictObject({
  accessKeyId: z.string(),
  roleAlias: z.string(),
  roleArn: z.string(),
  certificateId: z.string(),
  /** Seconds since 1970. */
  expiresAt: z.number(),
});
export type Session = z.infer<typeof claims>;

export interface SessionCredentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken: string;
  /** Seconds since 1970. */
  expiresAt: number;
}

export interface Sessions {
  issue(session: Omit<Session, 'accessKeyId'>): SessionCredentials;
  /** @returns undefined where the token is not ours, or another key's */
  read(accessKeyId: string, sessionToken: string): (Session & { secretAccessKey: string }) | undefined;
}

/** @param secret the cloud's own */
export function createSessions(secret: string): Sessions {
  const mac = (purpose: string, text: string) =>
    createHmac('sha256', `${purpose} ${secret}`).update(text).digest();
  const secretOf = (token: string) => mac('session secret', token).toString('base64');
  /** @returns undefined where the token is not ours */
  const sessionOf = remembering(sessionsKeptMax, (sessionToken) => {
    const [body = '', signature = '', ...rest] = sessionToken.split('.');
    const expected = mac('session token', body);
    const given = Buffer.from(signature, 'base64url');
    if (rest.length > 0 || given.length !== expected.length || !timingSafeEqual(given, expected)) {
      return undefined;
    }
    const parsed = claims.safeParse(JSON.parse(Buffer.from(body, 'base64url').toString()));
    return parsed.success ? { ...parsed.data, secretAccessKey: secretOf(sessionToken) } : undefined;
  });
  return {
    issue(session) {
      const accessKeyId = `ASIALOCAL${randomBytes(6).toString('hex').toUpperCase()}`;
      const body = Buffer.from(JSON.stringify({ ...session, accessKeyId })).toString('base64url');
      const sessionToken = `${body}.${mac('session token', body).toString('base64url')}`;
      return {
        accessKeyId,
        secretAccessKey: secretOf(sessionToken),
        sessionToken,
        expiresAt: session.expiresAt,
      };
    },
    read(accessKeyId, sessionToken) {
      const session = sessionOf(sessionToken);
      return session?.accessKeyId === accessKeyId ? session : undefined;
    },
  };
}
