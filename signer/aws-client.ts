/** What the signer's clients of AWS are made with: one connection pool, one try, credentials that are renewed in place. */

import { readFileSync, statSync } from 'node:fs';
import type { Credentials } from '../dynamodb/signed-request.ts';
import type { RoleAliasCredentials } from './role-alias-credentials.ts';

export interface AwsClientOptions {
  region: string;
  /** Left out: AWS's own endpoint. */
  endpoint?: string | undefined;
  /** PEM file of the endpoint's CA; left out: the system's. */
  ca?: string | undefined;
  /** A shared credentials file, read again whenever it changes; left out: the SDK's default chain. */
  credentials?: string | undefined;
  /** Credentials by this server's certificate, where no file is given. */
  roleAlias?: RoleAliasCredentials | undefined;
}

/** Beat, record and one request at a time, with room for those that were given up. */
export const socketsMax = 16;
/** A connection that takes longer is none; a call's own time is its caller's. */
export const connectMsMax = 800;

export function agentOptions({ ca }: AwsClientOptions) {
  return { keepAlive: true, maxSockets: socketsMax, ...(ca ? { ca: readFileSync(ca) } : {}) };
}

/** Beam's credentials are short-lived and renewed in place. The SDK's clients ask again when these run out. */
const lookAgainMs = 30_000;
/** Between two looks at a credentials file whether it changed: the former keys are good for a while yet. */
const fileLookMs = 1000;

type Renewed = Credentials & { expiration: Date };

/** What the configuration names; undefined: whatever the SDK's default chain finds. */
export function configuredCredentials({
  credentials,
  roleAlias,
}: AwsClientOptions): (() => Renewed | Promise<Renewed>) | undefined {
  if (credentials) return sharedCredentials(credentials);
  if (!roleAlias) return undefined;
  return async () => ({ ...(await roleAlias.get()), expiration: new Date(Date.now() + lookAgainMs) });
}

/** @returns the `default` profile of an AWS shared credentials file */
export function sharedCredentials(path: string) {
  let read: { mtimeMs: number; keys: Record<string, string> } | undefined;
  let lookedMs = Number.NEGATIVE_INFINITY;
  const find = () => {
    const nowMs = performance.now();
    if (read && nowMs - lookedMs < fileLookMs) return read.keys;
    const { mtimeMs } = statSync(path);
    if (read?.mtimeMs !== mtimeMs)
      read = { mtimeMs, keys: parseProfile(readFileSync(path, 'utf8'), 'default') };
    lookedMs = nowMs;
    return read.keys;
  };
  return (): Renewed => {
    const { aws_access_key_id, aws_secret_access_key, aws_session_token } = find();
    if (!aws_access_key_id || !aws_secret_access_key) {
      throw new Error(`${path} has no aws_access_key_id and aws_secret_access_key in [default]`);
    }
    return {
      accessKeyId: aws_access_key_id,
      secretAccessKey: aws_secret_access_key,
      ...(aws_session_token ? { sessionToken: aws_session_token } : {}),
      expiration: new Date(Date.now() + lookAgainMs),
    };
  };
}

function parseProfile(text: string, profile: string): Record<string, string> {
  const keys: Record<string, string> = {};
  let within = false;
  for (const line of text.split(/\r?\n/)) {
    const section = /^\s*\[\s*(.+?)\s*\]/.exec(line);
    if (section) within = section[1] === profile;
    const pair = /^\s*([a-z_]+)\s*=\s*(.*?)\s*$/.exec(line);
    if (within && pair?.[1]) keys[pair[1]] = pair[2] ?? '';
  }
  return keys;
}
