/** What a person reads when a command can't do its work, and the exit code that goes with it. */

import { CertificateFileError } from '../protocol/certificates.ts';

/** 0: done. The others, for scripts: */
export const exitCodes = {
  /** The work could not be done, or came out as it should not. */
  failed: 1,
  /** Bad arguments or input: nothing was tried. */
  usage: 2,
  /** Nothing failed, and something wants a person's look. */
  attention: 3,
  /** Ended by Ctrl-C or SIGTERM. */
  interrupted: 130,
} as const;

/** Raised by commands: the message is complete, with place and remedy. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly exitCode: number;
  constructor(message: string, exitCode: number = exitCodes.failed, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

/** Errors of ours, by name, that tell of bad input: nothing was tried. */
const inputErrorNames = new Set([
  'ConfigError',
  'CertificateFileError',
  'KeyError',
  'HomeExistsError',
  'FolderInUseError',
  'FleetDataError',
  'InvalidInputError',
]);

interface AwsError extends Error {
  $metadata: { httpStatusCode?: number };
}

function isAwsError(error: unknown): error is AwsError {
  return typeof error === 'object' && error !== null && '$metadata' in error;
}

/** AWS's errors that a person meets, each with what to do. */
const awsRemedies: Record<string, string> = {
  CredentialsProviderError:
    'no AWS credentials: set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or for a local fleet give --data',
  AccessDeniedException: 'these credentials may not do this: see the policy of the user or role',
  UnrecognizedClientException: 'AWS does not know these credentials: check AWS_PROFILE and the region',
  InvalidSignatureException: 'the secret key is wrong, or this machine has a wrong time',
  CertificateValidationException:
    'is it a certificate of that authority, and the authority registered (`beam certs register-ca`)?',
  ExpiredTokenException: 'the credentials have expired: sign in again',
  ResourceNotFoundException: 'there is no such thing here: check the name, and that the region is right',
  ThrottlingException: 'AWS asks to slow down: try again in a minute',
};

const networkCodes: Record<string, string> = {
  ECONNREFUSED: 'nothing listens there',
  ECONNRESET: 'the connection was cut',
  ENOTFOUND: 'that name has no address',
  ETIMEDOUT: 'no answer in time',
  EHOSTUNREACH: 'no way to that host',
};

/** Of the file system; Node's own message has the place, and no remedy. */
const fileCodes: Record<string, string> = {
  EACCES: "this user may not read or write it: run the command as its owner, or change the file's mode",
  EEXIST: 'a file is where a folder is to be: move it away, or name another folder',
  EISDIR: 'a folder is where a file is to be: name a file',
  ENOENT: 'check the name, and that the folder is there',
  ENOSPC: 'the disk is full: make room, and run the command again',
  ENOTDIR: 'a file is where a folder is to be: move it away, or name another folder',
  EROFS: 'the disk can only be read: name a place on another',
};

/** Codes of Node's TLS that mean: another authority signed the certificate. */
const trustCodes = new Set([
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_SIGNATURE_FAILURE',
]);

/** @param place what the command spoke to, for errors that don't say it themselves. */
export function describeError(error: unknown, place?: string): string {
  if (error instanceof CliError) return error.message;
  const at = place === undefined ? '' : `${place}: `;
  const code = codeOf(error);
  if (code !== undefined && networkCodes[code]) {
    return `${at}${networkCodes[code]} (${code}); is the fleet running (\`npm start\`), and is this its endpoint?`;
  }
  if (code !== undefined && trustCodes.has(code)) {
    return `${at}its certificate is not signed by an authority known here (${code}); name the right one with --ca`;
  }
  if (isAwsError(error)) {
    const remedy = awsRemedies[error.name];
    const status = error.$metadata.httpStatusCode;
    const said = error.message && error.message !== error.name ? `: ${error.message}` : '';
    return `${at}${error.name}${said}${status === undefined ? '' : ` (HTTP ${status})`}${remedy ? `; ${remedy}` : ''}`;
  }
  if (error instanceof Error) {
    if (error.message === 'Region is missing') {
      return 'no AWS region is set: give --region or set AWS_REGION; for a local fleet give --data';
    }
    const remedy = awsRemedies[error.name];
    if (remedy) return `${at}${error.name}: ${error.message}; ${remedy}`;
    const hasOwn = error instanceof CertificateFileError;
    const fileRemedy = code === undefined || hasOwn ? undefined : fileCodes[code];
    if (fileRemedy) return `${error.message}; ${fileRemedy}`;
    return error.message || error.name;
  }
  return String(error);
}

function codeOf(error: unknown): string | undefined {
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 4; at = at.cause, depth += 1) {
    if ('code' in at && typeof at.code === 'string') return at.code;
    if (at instanceof AggregateError && at.errors[0] instanceof Error) {
      const first = codeOf(at.errors[0]);
      if (first !== undefined) return first;
    }
  }
  return undefined;
}

export function exitCodeOf(error: unknown): number {
  if (error instanceof CliError) return error.exitCode;
  return error instanceof Error && inputErrorNames.has(error.name) ? exitCodes.usage : exitCodes.failed;
}
