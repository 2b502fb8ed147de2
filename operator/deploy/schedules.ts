/** Schedules: EventBridge's rules with a function as their target. */

import {
  DescribeRuleCommand,
  ListTargetsByRuleCommand,
  PutRuleCommand,
  PutTargetsCommand,
} from '@aws-sdk/client-eventbridge';
import { functionName, type LambdaSchedule, scheduleEvent } from '../../protocol/manifest.ts';
import type { Change } from './deployment.ts';
import { arnIn, created, type DeployContext, differences, unlessMissing, updated } from './place.ts';

export async function ensureSchedule(
  { events, account, dryRun }: DeployContext,
  schedule: LambdaSchedule,
  /** In the manifest. */
  target: string,
): Promise<Change> {
  const Name = functionName(schedule.name);
  const rule = { ScheduleExpression: schedule.expression, State: 'ENABLED' as const };
  const wanted = {
    Id: target,
    Arn: arnIn(account, 'lambda', `function:${functionName(target)}`),
    Input: JSON.stringify(scheduleEvent(schedule)),
  };
  const found = await unlessMissing(
    events.send(new DescribeRuleCommand({ Name })),
    'ResourceNotFoundException',
  );
  const { Targets = [] } = found ? await events.send(new ListTargetsByRuleCommand({ Rule: Name })) : {};
  const what = found ? differences(rule, { ...found }) : [];
  const before = Targets.find(({ Id }) => Id === target);
  if (!before || differences(wanted, { ...before }).length > 0) what.push('target');
  if (!dryRun && (!found || what.length > 0)) {
    await events.send(new PutRuleCommand({ Name, ...rule }));
    await events.send(new PutTargetsCommand({ Rule: Name, Targets: [wanted] }));
  }
  return found ? updated('schedule', Name, what) : created('schedule', Name);
}
