/** The operations of Lambda's API on functions: what each takes, and what it answers. */

import * as z from 'zod';
import type { JsonObject } from '../engines/json-tree.ts';
import { type Answer, operation } from '../https/operation.ts';
import { page } from '../https/page.ts';
import { AwsError, notImplemented } from '../registry/aws-error.ts';
import type { Functions } from './functions.ts';
import { functionArn } from './functions.ts';
import type { FunctionRecord, PermissionStatement } from './records.ts';

const pageSize = 50;
const retriesMaxDefault = 2;
const eventAgeSecondsDefault = 21_600;
const concurrencyMax = 1_000;

const invalid = (message: string) => new AwsError(400, 'InvalidParameterValueException', message);

const text = z.string();
const Environment = z.strictObject({ Variables: z.record(text, text).default({}) });
const DeadLetterConfig = z.strictObject({
  TargetArn: text.regex(/^$|^arn:[a-z-]+:(sqs|sns):[^:]*:\d{12}:[A-Za-z0-9_-]+$/).optional(),
});
const settings = {
  Runtime: text.optional(),
  Role: text.regex(/^arn:aws[a-z-]*:iam::\d{12}:role\/\S+$/).optional(),
  Handler: text
    .max(128)
    .regex(/^[^\s]+\.[A-Za-z_$][\w$]*$/)
    .optional(),
  Description: text.max(256).optional(),
  Timeout: z.number().int().min(1).max(900).optional(),
  MemorySize: z.number().int().min(128).max(10_240).optional(),
  Environment: Environment.optional(),
  DeadLetterConfig: DeadLetterConfig.optional(),
  /** Taken where they say what is so anyway. */
  TracingConfig: z.strictObject({ Mode: z.literal('PassThrough').optional() }).optional(),
  EphemeralStorage: z.strictObject({ Size: z.number() }).optional(),
  LoggingConfig: z
    .strictObject({ LogFormat: z.literal('Text').optional(), LogGroup: text.optional() })
    .optional(),
  Layers: z.array(text).max(0, 'the local cloud has no layers').optional(),
};
type Settings = z.infer<z.ZodObject<typeof settings>>;

const architectures = z
  .array(z.enum(['x86_64', 'arm64']))
  .max(1)
  .optional();
const zipFile = {
  ZipFile: text.optional(),
  S3Bucket: text.optional(),
  S3Key: text.optional(),
  S3ObjectVersion: text.optional(),
};

function zipOf({
  ZipFile,
  S3Bucket,
}: {
  ZipFile?: string | undefined;
  S3Bucket?: string | undefined;
}): Buffer {
  if (S3Bucket !== undefined) throw notImplemented('code from S3; send it as ZipFile');
  if (ZipFile === undefined) throw invalid('Please provide a source for function code.');
  return Buffer.from(ZipFile, 'base64');
}

function checkRuntime(runtime: string): string {
  if (!/^nodejs\d+\.x$/.test(runtime))
    throw notImplemented(`runtime ${runtime}; it runs functions on its own Node.js`);
  return runtime;
}

/** Lambda refuses names of its own; a bad one would be ignored otherwise. */
function checkVariables(variables: Record<string, string>): Record<string, string> {
  for (const name of Object.keys(variables)) {
    if (!/^[A-Za-z]\w*$/.test(name)) throw invalid(`Environment variable name ${name} is not valid`);
    if (/^(AWS_|LAMBDA_|_HANDLER$|_X_)/.test(name))
      throw invalid(`Lambda was unable to configure your environment variables because ${name} is reserved`);
  }
  return variables;
}

function changed(record: FunctionRecord, input: Settings): FunctionRecord {
  const { deadLetterArn, ...rest } = record;
  const target = input.DeadLetterConfig ? input.DeadLetterConfig.TargetArn : deadLetterArn;
  return {
    ...rest,
    ...(input.Runtime !== undefined && { runtime: checkRuntime(input.Runtime) }),
    ...(input.Role !== undefined && { role: input.Role }),
    ...(input.Handler !== undefined && { handler: input.Handler }),
    ...(input.Description !== undefined && { description: input.Description }),
    ...(input.Timeout !== undefined && { timeoutSeconds: input.Timeout }),
    ...(input.MemorySize !== undefined && { memoryMb: input.MemorySize }),
    ...(input.Environment && { environment: checkVariables(input.Environment.Variables) }),
    // Empty, it is taken away.
    ...(target && { deadLetterArn: target }),
  };
}

export function functionConfiguration(record: FunctionRecord): Answer {
  const { name, environment, deadLetterArn } = record;
  return {
    FunctionName: name,
    FunctionArn: functionArn(name),
    Runtime: record.runtime,
    Role: record.role,
    Handler: record.handler,
    CodeSize: record.codeBytes,
    Description: record.description,
    Timeout: record.timeoutSeconds,
    MemorySize: record.memoryMb,
    LastModified: new Date(record.modifiedAtMs).toISOString().replace('Z', '+0000'),
    CodeSha256: record.codeSha256,
    Version: '$LATEST',
    TracingConfig: { Mode: 'PassThrough' },
    RevisionId: record.revisionId,
    State: 'Active',
    LastUpdateStatus: 'Successful',
    PackageType: 'Zip',
    Architectures: ['x86_64'],
    EphemeralStorage: { Size: 512 },
    LoggingConfig: { LogFormat: 'Text', LogGroup: `/aws/lambda/${name}` },
    ...(Object.keys(environment).length > 0 && { Environment: { Variables: environment } }),
    ...(deadLetterArn !== undefined && { DeadLetterConfig: { TargetArn: deadLetterArn } }),
  };
}

export type FunctionOperations = ReturnType<typeof functionOperations>;

export function functionOperations(functions: Functions, nowMs: () => number) {
  const run = <S extends z.ZodRawShape>(
    name: string,
    members: S,
    act: (input: z.infer<z.ZodObject<S>>) => Promise<Answer> | Answer,
  ) => operation(name, members, act)[1];

  const createInput = run(
    'CreateFunction',
    {
      ...settings,
      FunctionName: text,
      Role: text.regex(/^arn:aws[a-z-]*:iam::\d{12}:role\/\S+$/),
      Code: z.strictObject(zipFile),
      PackageType: z.literal('Zip').optional(),
      Publish: z.literal(false).optional(),
      Architectures: architectures,
      Tags: z.record(text, text).default({}),
    },
    async (input) => {
      const name = /^(?:.*:)?([A-Za-z0-9_-]{1,64})$/.exec(input.FunctionName)?.[1];
      if (name === undefined) throw invalid(`FunctionName ${input.FunctionName} is not valid`);
      if (input.Runtime === undefined || input.Handler === undefined)
        throw invalid(
          'Runtime and Handler are mandatory parameters for functions created with deployment packages.',
        );
      const blank: FunctionRecord = {
        name,
        runtime: '',
        role: input.Role,
        handler: input.Handler,
        description: '',
        timeoutSeconds: 3,
        memoryMb: 128,
        environment: {},
        policy: [],
        tags: input.Tags,
        revisionId: '',
        modifiedAtMs: nowMs(),
        codeSha256: '',
        codeBytes: 0,
      };
      const record = await functions.create(changed(blank, input), zipOf(input.Code));
      return functionConfiguration(record);
    },
  );
  const configurationInput = run(
    'UpdateFunctionConfiguration',
    { ...settings, FunctionName: text, RevisionId: text.optional() },
    async (input) => {
      checkRevision(input.FunctionName, input.RevisionId);
      return functionConfiguration(
        await functions.change(input.FunctionName, (record) => changed(record, input)),
      );
    },
  );
  const codeInput = run(
    'UpdateFunctionCode',
    {
      ...zipFile,
      FunctionName: text,
      RevisionId: text.optional(),
      Publish: z.literal(false).optional(),
      DryRun: z.literal(false).optional(),
      Architectures: architectures,
    },
    async (input) => {
      checkRevision(input.FunctionName, input.RevisionId);
      return functionConfiguration(await functions.updateCode(input.FunctionName, zipOf(input)));
    },
  );
  const permissionInput = run(
    'AddPermission',
    {
      FunctionName: text,
      StatementId: text.regex(/^[A-Za-z0-9_-]{1,100}$/),
      Action: text.regex(/^(lambda:[*A-Za-z]+|\*)$/),
      Principal: text,
      SourceArn: text.optional(),
      SourceAccount: text.regex(/^\d{12}$/).optional(),
      RevisionId: text.optional(),
    },
    async (input) => {
      checkRevision(input.FunctionName, input.RevisionId);
      const { policy } = functions.get(input.FunctionName);
      if (policy.some(({ Sid }) => Sid === input.StatementId)) {
        throw new AwsError(
          409,
          'ResourceConflictException',
          `The statement id (${input.StatementId}) provided already exists.`,
        );
      }
      const statement = statementOf(input);
      await functions.change(input.FunctionName, (record) => ({
        ...record,
        policy: [...record.policy, statement],
      }));
      return { Statement: JSON.stringify(statement) };
    },
  );
  const concurrencyInput = run(
    'PutFunctionConcurrency',
    { FunctionName: text, ReservedConcurrentExecutions: z.number().int().min(0).max(concurrencyMax) },
    async (input) => {
      await functions.change(input.FunctionName, (record) => ({
        ...record,
        reservedConcurrency: input.ReservedConcurrentExecutions,
      }));
      return { ReservedConcurrentExecutions: input.ReservedConcurrentExecutions };
    },
  );
  const eventInvokeInput = run(
    'PutFunctionEventInvokeConfig',
    {
      FunctionName: text,
      MaximumRetryAttempts: z.number().int().min(0).max(2).optional(),
      MaximumEventAgeInSeconds: z.number().int().min(60).max(21_600).optional(),
    },
    async (input) => {
      return eventInvokeOf(
        await functions.change(input.FunctionName, (record) => ({
          ...record,
          retriesMax: input.MaximumRetryAttempts ?? retriesMaxDefault,
          eventAgeSecondsMax: input.MaximumEventAgeInSeconds ?? eventAgeSecondsDefault,
        })),
      );
    },
  );
  const tagInput = run('TagResource', { Resource: text, Tags: z.record(text, text) }, async (input) => {
    await functions.change(input.Resource, (record) => ({
      ...record,
      tags: { ...record.tags, ...input.Tags },
    }));
    return {};
  });

  function checkRevision(name: string, revisionId: string | undefined): void {
    if (revisionId !== undefined && functions.get(name).revisionId !== revisionId)
      throw new AwsError(
        412,
        'PreconditionFailedException',
        'The Revision Id provided does not match the latest Revision Id.',
      );
  }

  const named = (name: string, input: JsonObject): JsonObject => ({ ...input, FunctionName: name });
  const noPolicy = () =>
    new AwsError(404, 'ResourceNotFoundException', 'The resource you requested does not exist.');

  return {
    create: (input: JsonObject) => createInput(input),
    list(query: URLSearchParams): Answer {
      const size = query.get('MaxItems');
      const marker = query.get('Marker') ?? undefined;
      const { items, next } = page('ListFunctions', functions.all(), ({ name }) => name, {
        token: marker,
        size: size === null ? pageSize : Math.min(Number(size), pageSize),
      });
      return {
        Functions: items.map(({ name }) => functionConfiguration(functions.described(name))),
        NextMarker: next,
      };
    },
    get(name: string): Answer {
      const record = functions.described(name);
      return {
        Configuration: functionConfiguration(record),
        // Where the code could be fetched from is an address of S3, which is not here.
        Code: { RepositoryType: 'S3' },
        Tags: record.tags,
        ...(record.reservedConcurrency !== undefined && {
          Concurrency: { ReservedConcurrentExecutions: record.reservedConcurrency },
        }),
      };
    },
    configuration: (name: string): Answer => functionConfiguration(functions.described(name)),
    versions: (name: string): Answer => ({ Versions: [functionConfiguration(functions.described(name))] }),
    async remove(name: string): Promise<Answer> {
      await functions.remove(name);
      return {};
    },
    updateConfiguration: (name: string, input: JsonObject) => configurationInput(named(name, input)),
    updateCode: (name: string, input: JsonObject) => codeInput(named(name, input)),
    addPermission: (name: string, input: JsonObject) => permissionInput(named(name, input)),
    policy(name: string): Answer {
      const { policy, revisionId } = functions.get(name);
      if (policy.length === 0) throw noPolicy();
      const Policy = JSON.stringify({ Version: '2012-10-17', Id: 'default', Statement: policy });
      return { Policy, RevisionId: revisionId };
    },
    async removePermission(name: string, statementId: string): Promise<Answer> {
      const { policy } = functions.get(name);
      const rest = policy.filter(({ Sid }) => Sid !== statementId);
      if (rest.length === policy.length) throw noPolicy();
      await functions.change(name, (record) => ({ ...record, policy: rest }));
      return {};
    },
    putConcurrency: (name: string, input: JsonObject) => concurrencyInput(named(name, input)),
    async removeConcurrency(name: string): Promise<Answer> {
      await functions.change(name, ({ reservedConcurrency: _, ...record }) => record);
      return {};
    },
    concurrency: (name: string): Answer => ({
      ReservedConcurrentExecutions: functions.get(name).reservedConcurrency,
    }),
    putEventInvoke: (name: string, input: JsonObject) => eventInvokeInput(named(name, input)),
    eventInvoke(name: string): Answer {
      const record = functions.get(name);
      if (record.retriesMax === undefined)
        throw new AwsError(
          404,
          'ResourceNotFoundException',
          `The function ${functionArn(name)} doesn't have an EventInvokeConfig`,
        );
      return eventInvokeOf(record);
    },
    tags: (name: string): Answer => ({ Tags: functions.get(name).tags }),
    tag: (name: string, input: JsonObject) => tagInput({ ...input, Resource: name }),
  };
}

function eventInvokeOf({ name, retriesMax, eventAgeSecondsMax, modifiedAtMs }: FunctionRecord): Answer {
  return {
    FunctionArn: `${functionArn(name)}:$LATEST`,
    LastModified: modifiedAtMs / 1000,
    MaximumRetryAttempts: retriesMax,
    MaximumEventAgeInSeconds: eventAgeSecondsMax,
  };
}

function statementOf(input: {
  FunctionName: string;
  StatementId: string;
  Action: string;
  Principal: string;
  SourceArn?: string | undefined;
  SourceAccount?: string | undefined;
}): PermissionStatement {
  const { SourceArn, SourceAccount } = input;
  const Condition = {
    ...(SourceAccount !== undefined && { StringEquals: { 'AWS:SourceAccount': SourceAccount } }),
    ...(SourceArn !== undefined && { ArnLike: { 'AWS:SourceArn': SourceArn } }),
  };
  const isService = input.Principal.endsWith('.amazonaws.com');
  return {
    Sid: input.StatementId,
    Effect: 'Allow',
    Principal:
      input.Principal === '*' ? '*' : isService ? { Service: input.Principal } : { AWS: input.Principal },
    Action: input.Action,
    Resource: functionArn(input.FunctionName),
    ...(Object.keys(Condition).length > 0 && { Condition }),
  };
}
