/** The functions of a manifest, as the API shows them, and the schedules that set them off. */

import { join } from 'node:path';
import { functionName, type LambdaManifest, lambdaRuntime, scheduleEvent } from '../../protocol/manifest.ts';
import type { EventRuleRecord } from '../events/records.ts';
import { accountId } from '../registry/arns.ts';
import { type BundledFunction, functionArn, steadyId } from './functions.ts';
import type { PermissionStatement } from './records.ts';

const invokers = ['iot.amazonaws.com', 'events.amazonaws.com', 'sns.amazonaws.com'];

/** @param lambdasDir holds `<name>/index.cjs` and `<name>.zip` */
export function bundledFunctions(manifest: LambdaManifest, lambdasDir: string): BundledFunction[] {
  return manifest.functions.map(
    ({ name: short, handler, timeoutSeconds, memoryMb, reservedConcurrency, environment }) => {
      const name = functionName(short);
      return {
        codeDir: join(lambdasDir, short),
        zipFile: join(lambdasDir, `${short}.zip`),
        record: {
          name,
          runtime: lambdaRuntime,
          role: `arn:aws:iam::${accountId}:role/${name}`,
          handler: `index.${handler}`,
          description: '',
          timeoutSeconds,
          memoryMb,
          environment,
          reservedConcurrency,
          codeSha256: '',
          codeBytes: 0,
          policy: invokers.map((service) => ofThisCloud(name, service)),
          tags: {},
          revisionId: steadyId(name),
          modifiedAtMs: 0,
        },
      };
    },
  );
}

function ofThisCloud(name: string, service: string): PermissionStatement {
  return {
    Sid: `local-cloud-${service.split('.')[0]}`,
    Effect: 'Allow',
    Principal: { Service: service },
    Action: 'lambda:InvokeFunction',
    Resource: functionArn(name),
    Condition: { StringEquals: { 'AWS:SourceAccount': accountId } },
  };
}

export function bundledSchedules(manifest: LambdaManifest, nowMs: number): EventRuleRecord[] {
  return manifest.functions.flatMap(({ name: short, schedules }) =>
    schedules.map((schedule) => ({
      name: functionName(schedule.name),
      scheduleExpression: schedule.expression,
      enabled: true,
      targets: [
        { id: short, arn: functionArn(functionName(short)), input: JSON.stringify(scheduleEvent(schedule)) },
      ],
      tags: {},
      createdAtMs: nowMs,
    })),
  );
}
