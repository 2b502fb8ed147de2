/** Functions from their zips, and who may invoke them. */

import { createHash } from 'node:crypto';
import {
  AddPermissionCommand,
  CreateFunctionCommand,
  type FunctionConfiguration,
  GetFunctionCommand,
  type GetFunctionResponse,
  GetPolicyCommand,
  PutFunctionConcurrencyCommand,
  RemovePermissionCommand,
  type Runtime,
  UpdateFunctionCodeCommand,
  UpdateFunctionConfigurationCommand,
  waitUntilFunctionActiveV2,
  waitUntilFunctionUpdatedV2,
} from '@aws-sdk/client-lambda';
import { functionName } from '../../protocol/manifest.ts';
import type { Change, DeployedFunction } from './deployment.ts';
import { created, type DeployContext, differences, roleArnIn, unlessMissing, updated } from './place.ts';
import { ensureFunctionRole } from './roles.ts';

const waitSecondsMax = 120;
/** A role that was made a moment ago is not known to Lambda yet. */
const roleTries = 10;
const roleWaitMs = 3_000;

export async function ensureFunction(
  context: DeployContext,
  definition: DeployedFunction,
): Promise<Change[]> {
  const FunctionName = functionName(definition.name);
  const { lambda, account } = context;
  const changes: Change[] = [];
  let role = context.roleArn;
  if (role === undefined) {
    changes.push((await ensureFunctionRole(context, definition)).change);
    role = roleArnIn(account, FunctionName);
  }
  const settings = {
    Role: role,
    Handler: `index.${definition.handler}`,
    Runtime: context.runtime as Runtime,
    Timeout: definition.timeoutSeconds,
    MemorySize: definition.memoryMb,
    Environment: { Variables: definition.environment },
    DeadLetterConfig: { TargetArn: context.deadLetterArn },
  };
  const found = await unlessMissing(
    lambda.send(new GetFunctionCommand({ FunctionName })),
    'ResourceNotFoundException',
  );
  changes.push(
    found ? await update(context, definition, settings, found) : await create(context, definition, settings),
  );
  return changes;
}

type Settings = Omit<FunctionConfiguration, 'Environment'> & {
  Environment: { Variables: Record<string, string> };
};

async function create(
  { lambda, dryRun, sleep }: DeployContext,
  { name, zip, reservedConcurrency }: DeployedFunction,
  settings: Settings,
): Promise<Change> {
  const FunctionName = functionName(name);
  if (dryRun) return created('function', FunctionName);
  const { Role, Handler, Runtime, Timeout, MemorySize, Environment, DeadLetterConfig } = settings;
  const input = {
    ...{ FunctionName, Role, Handler, Runtime, Timeout, MemorySize, Environment, DeadLetterConfig },
    Code: { ZipFile: zip },
  };
  for (let attempt = 1; ; attempt++) {
    try {
      await lambda.send(new CreateFunctionCommand(input));
      break;
    } catch (error) {
      if (attempt === roleTries || !(error instanceof Error) || !/cannot be assumed/.test(error.message))
        throw error;
      await sleep(roleWaitMs);
    }
  }
  await waitUntilFunctionActiveV2({ client: lambda, maxWaitTime: waitSecondsMax }, { FunctionName });
  await lambda.send(
    new PutFunctionConcurrencyCommand({ FunctionName, ReservedConcurrentExecutions: reservedConcurrency }),
  );
  return created('function', FunctionName);
}

async function update(
  { lambda, dryRun }: DeployContext,
  { name, zip, reservedConcurrency }: DeployedFunction,
  settings: Settings,
  { Configuration = {}, Concurrency }: GetFunctionResponse,
): Promise<Change> {
  const FunctionName = functionName(name);
  const found = {
    ...Configuration,
    Environment: { Variables: Configuration.Environment?.Variables ?? {} },
    DeadLetterConfig: { TargetArn: Configuration.DeadLetterConfig?.TargetArn },
  };
  const different = differences({ ...settings }, { ...found });
  const updatedNow = () =>
    waitUntilFunctionUpdatedV2({ client: lambda, maxWaitTime: waitSecondsMax }, { FunctionName });
  const what: string[] = [];
  if (createHash('sha256').update(zip).digest('base64') !== Configuration.CodeSha256) {
    what.push('code');
    if (!dryRun) {
      await lambda.send(new UpdateFunctionCodeCommand({ FunctionName, ZipFile: zip }));
      await updatedNow();
    }
  }
  if (different.length > 0) {
    what.push(...different);
    if (!dryRun) {
      const { Role, Handler, Runtime, Timeout, MemorySize, Environment, DeadLetterConfig } = settings;
      const input = {
        FunctionName,
        Role,
        Handler,
        Runtime,
        Timeout,
        MemorySize,
        Environment,
        DeadLetterConfig,
      };
      await lambda.send(new UpdateFunctionConfigurationCommand(input));
      await updatedNow();
    }
  }
  if (Concurrency?.ReservedConcurrentExecutions !== reservedConcurrency) {
    what.push('ReservedConcurrentExecutions');
    if (!dryRun) {
      const ReservedConcurrentExecutions = reservedConcurrency;
      await lambda.send(new PutFunctionConcurrencyCommand({ FunctionName, ReservedConcurrentExecutions }));
    }
  }
  return updated('function', FunctionName, what);
}

/** Lets a service invoke a function for one of its own resources. */
export interface Permission {
  /** In the manifest. */
  function: string;
  statementId: string;
  service: string;
  sourceArn: string;
}

export async function ensurePermission(
  { lambda, dryRun }: DeployContext,
  permission: Permission,
): Promise<Change> {
  const FunctionName = functionName(permission.function);
  const { statementId: StatementId, service: Principal, sourceArn: SourceArn } = permission;
  const label = `${StatementId} on ${FunctionName}`;
  const found = await unlessMissing(
    lambda.send(new GetPolicyCommand({ FunctionName })),
    'ResourceNotFoundException',
  );
  const { Statement = [] } = JSON.parse(found?.Policy ?? '{}') as {
    Statement?: { Sid?: string; Condition?: { ArnLike?: Record<string, string> } }[];
  };
  const statement = Statement.find(({ Sid }) => Sid === StatementId);
  const same = statement && Object.values(statement.Condition?.ArnLike ?? {}).includes(SourceArn);
  if (same) return updated('permission', label, []);
  if (!dryRun) {
    if (statement) await lambda.send(new RemovePermissionCommand({ FunctionName, StatementId }));
    const Action = 'lambda:InvokeFunction';
    await lambda.send(new AddPermissionCommand({ FunctionName, StatementId, Action, Principal, SourceArn }));
  }
  return statement ? updated('permission', label, ['SourceArn']) : created('permission', label);
}
