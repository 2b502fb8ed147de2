/** Device shadows, the sign record and the fleet table, from their schemas. */

import type * as z from 'zod';
import {
  cooldownSecondsDefault,
  fleetConfig,
  fleetNode,
  lastFailover,
  lastGrant,
} from '../../../protocol/fleet-table.ts';
import {
  desiredGaiad,
  desiredRole,
  overlayValue,
  rejectedSetting,
  reportedGaiad,
  reportedRoleState,
  reportedStatus,
  shadowBytesMax,
} from '../../../protocol/shadows.ts';
import { beatItem, signRecord } from '../../../protocol/sign-record.ts';
import { signerSummary } from '../../../protocol/topics.ts';
import { type Declared, schemaTable } from './schema-table.ts';
import { page } from './tables.ts';

export function shadowsPage(root: string): string {
  const named = new Map<z.ZodType, string>([
    [overlayValue, 'TOML value'],
    [rejectedSetting, 'rejected setting'],
  ]);
  const declared = (...names: string[]): Declared[] => [{ file: 'protocol/shadows.ts', names }];
  const of = (schema: z.ZodType, ...names: string[]) =>
    schemaTable({ root, schema, named, declared: declared(...names) });
  return page(
    'Device shadows',
    `Each server's thing has three named shadows, of at most ${shadowBytesMax} bytes each (desired and reported, without metadata). \`desired\` is what ` +
      "Commander or an operator wants, `reported` what the pilot has. An operator's edit is a request: see [operations](../operations.md).",
    '## role, desired',
    of(desiredRole, 'desiredRole'),
    '## role, reported',
    of(reportedRoleState, 'reportedRoleState'),
    '## gaiad, desired',
    of(desiredGaiad, 'desiredGaiad', 'overlay'),
    '## gaiad, reported',
    of(reportedGaiad, 'reportedGaiad'),
    'A *rejected setting*:',
    of(rejectedSetting, 'rejectedSetting'),
    '## status, reported',
    'Nothing is desired of it.',
    of(reportedStatus, 'reportedStatus'),
  );
}

export function tablesPage(root: string): string {
  const named = new Map<z.ZodType, string>([[signerSummary, 'signer summary']]);
  const of = (schema: z.ZodType, declared: Declared[]) => schemaTable({ root, schema, named, declared });
  const inFleet = (...names: string[]): Declared[] => [{ file: 'protocol/fleet-table.ts', names }];
  const inRecord = (...names: string[]): Declared[] => [{ file: 'protocol/sign-record.ts', names }];
  return page(
    'DynamoDB tables',
    '## Sign table',
    "Key `key` (text). One item a consensus key says who may sign; an item beside it is the holder's beat. [Safety](../safety.md) tells who may write " +
      'what of it. Never edit it by hand, and never restore it from a backup under its own `recordId`.',
    '### The sign record',
    of(signRecord, inRecord('signRecord')),
    '### The beat',
    of(beatItem, inRecord('beatItem')),
    '## Fleet table',
    'Key `fleet`, sort key `item`. What Commander knows of each fleet. Nothing in it lets anybody sign.',
    '### Item #config',
    `What an operator switched on by name (\`beam fleet configure\`). Absent: nothing is. The cool-down of a new fleet is ${cooldownSecondsDefault} s.`,
    of(fleetConfig, inFleet('fleetConfig')),
    '### Item #failover',
    'The last automatic failover.',
    of(lastFailover, inFleet('lastFailover')),
    '### Item #grant',
    'The last grant that Commander made or met. The grant itself is in the sign record alone.',
    of(lastGrant, inFleet('lastGrant')),
    '### One item a thing',
    'From its last [health message](messages.md#health).',
    of(fleetNode, [
      ...inFleet('fleetNode'),
      { file: 'protocol/topics.ts', names: ['healthMessage', 'envelope'] },
    ]),
  );
}
