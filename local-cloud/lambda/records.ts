/** What is on disk of functions, and of events that wait for one. Times are ms since the epoch. */

/** One statement of a function's resource policy, as AddPermission makes it. */
export interface PermissionStatement {
  Sid: string;
  Effect: 'Allow';
  Principal: { Service: string } | { AWS: string } | '*';
  Action: string;
  Resource: string;
  Condition?: { ArnLike?: { 'AWS:SourceArn': string }; StringEquals?: { 'AWS:SourceAccount': string } };
}

export interface FunctionRecord {
  name: string;
  runtime: string;
  role: string;
  /** `<file>.<export>`. */
  handler: string;
  description: string;
  timeoutSeconds: number;
  memoryMb: number;
  environment: Record<string, string>;
  /** Of a queue or a topic. */
  deadLetterArn?: string;
  /** Invocations at a time. */
  reservedConcurrency?: number;
  /** Of asynchronous events. */
  retriesMax?: number;
  eventAgeSecondsMax?: number;
  /** base64 of the zip's SHA-256. */
  codeSha256: string;
  codeBytes: number;
  policy: PermissionStatement[];
  tags: Record<string, string>;
  revisionId: string;
  modifiedAtMs: number;
}

/** An asynchronous invocation that is not done. */
export interface LambdaEventRecord {
  functionName: string;
  requestId: string;
  event: unknown;
  attempts: number;
  acceptedAtMs: number;
  dueAtMs: number;
}
