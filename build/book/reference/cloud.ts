/** IoT rules, policies and Lambda functions, from the very files that the clouds are set up by. */

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { parseLambdaManifest, scheduleEvent } from '../../../protocol/manifest.ts';
import { readSource } from './schema-table.ts';
import { code, fenced, page, table } from './tables.ts';

const rule = z.object({
  ruleName: z.string(),
  topicRulePayload: z.object({
    description: z.string(),
    sql: z.string(),
    actions: z.array(z.record(z.string(), z.record(z.string(), z.json()))),
    errorAction: z.record(z.string(), z.record(z.string(), z.json())).optional(),
  }),
});
const oneOrMore = z.union([z.string().transform((text) => [text]), z.array(z.string())]);
const policy = z.object({
  policyName: z.string(),
  policyDocument: z.object({
    Statement: z.array(
      z.object({
        Sid: z.string(),
        Effect: z.string(),
        Action: oneOrMore,
        Resource: oneOrMore,
        Condition: z.json().optional(),
      }),
    ),
  }),
});

function parsedFiles<T extends z.ZodType>(root: string, folder: string, schema: T): z.output<T>[] {
  return readdirSync(join(root, folder))
    .filter((name) => name.endsWith('.json'))
    .sort()
    .map((name) => schema.parse(JSON.parse(readSource(root, `${folder}/${name}`))));
}

/** `${lambda:roles}` as the function's name, other actions by theirs. */
function actionText(action: Record<string, Record<string, unknown>>): string {
  return Object.entries(action)
    .map(([kind, settings]) => {
      const name = /^\$\{lambda:([\w-]+)\}$/.exec(String(settings.functionArn))?.[1];
      return name === undefined ? kind : `[\`${name}\`](#${name})`;
    })
    .join(', ');
}

export function cloudPage(root: string): string {
  const rules = parsedFiles(root, 'cloud-rules/rules', rule);
  const { functions } = parseLambdaManifest(JSON.parse(readSource(root, 'lambdas/manifest.json')));
  return page(
    'Rules, policies and Lambda functions',
    'The local cloud and AWS are set up by the same files: `cloud-rules/rules/*.json`, `cloud-rules/policies/*.json`, `lambdas/manifest.json`.',
    '## IoT rules',
    table(
      ['rule', 'what it hands on', 'topic', 'to', 'what fails goes to'],
      rules.map(({ ruleName, topicRulePayload: { description, sql, actions, errorAction } }) => [
        code(ruleName),
        description,
        code(/FROM '([^']+)'/.exec(sql)?.[1] ?? ''),
        actions.map(actionText).join(', '),
        errorAction ? actionText(errorAction) : '',
      ]),
    ),
    'Their SQL (version 2016-03-23):',
    fenced(
      'sql',
      rules.map(({ ruleName, topicRulePayload: { sql } }) => `-- ${ruleName}\n${sql};`).join('\n'),
    ),
    '## Policies',
    ...parsedFiles(root, 'cloud-rules/policies', policy).flatMap(({ policyName, policyDocument }) => [
      `### ${policyName}`,
      table(
        ['statement', 'effect', 'actions', 'resources'],
        policyDocument.Statement.map(({ Sid, Effect, Action, Resource }) => [
          Sid,
          Effect,
          Action.map(code).join(', '),
          Resource.map((resource) => code(resource.replace('arn:aws:iot:*:*:', ''))).join('<br>'),
        ]),
      ),
    ]),
    '## Lambda functions',
    ...functions.flatMap((each) => [
      `### ${each.name}`,
      table(
        ['time-out', 'memory', 'at a time', 'environment', 'schedule'],
        [
          [
            `${each.timeoutSeconds} s`,
            `${each.memoryMb} MB`,
            String(each.reservedConcurrency),
            Object.entries(each.environment)
              .map(([name, value]) => code(`${name}=${value}`))
              .join(' '),
            each.schedules
              .map(
                (schedule) =>
                  `${code(schedule.expression)}, with ${code(JSON.stringify(scheduleEvent(schedule)))}`,
              )
              .join(' '),
          ],
        ],
      ),
      ...(each.iam.length === 0
        ? ['It may call nothing.']
        : [
            table(
              ['may', 'on', 'if'],
              each.iam.map(({ actions, resource, condition }) => [
                actions.map(code).join(', '),
                code(resource),
                condition ? code(JSON.stringify(condition)) : '',
              ]),
            ),
          ]),
    ]),
  );
}
