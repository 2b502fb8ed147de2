/**
 * The fleet table's changes as data. Messages come twice and out of order: within a boot the higher `seq` wins; a boot that
 * was replaced comes back only once the one after it is silent, as when a clone of a running server has ended; a disconnect counts against what was received before it alone. A time ahead of Commander's own is from before a clock was set back, and
 * keeps nothing off: else a server whose boot or connection changed then would not be heard for as long as the clock was ahead.
 */

import { type JsonAttribute, toJsonAttribute } from '../../protocol/dynamodb-json.ts';
import {
  fleetNode,
  fleetTablePartitionKey,
  fleetTableSortKey,
  silenceMs,
} from '../../protocol/fleet-table.ts';
import type { HealthMessage } from '../../protocol/topics.ts';
import { clocksApartMsMax } from '../aws/ms-since.ts';

export interface TableUpdate {
  Key: Record<string, JsonAttribute>;
  UpdateExpression: string;
  ConditionExpression: string;
  ExpressionAttributeNames: Record<string, string>;
  ExpressionAttributeValues: Record<string, JsonAttribute>;
}

const key = (fleet: string, thing: string) => ({
  [fleetTablePartitionKey]: toJsonAttribute(fleet),
  [fleetTableSortKey]: toJsonAttribute(thing),
});

/** What a health message writes; what it leaves out is removed. */
const messageAttributes = Object.keys(fleetNode.shape).filter(
  (name) => !['fleet', 'item', 'receivedAt', 'connected'].includes(name),
);

/**
 * The updates to try in turn, until one's condition holds: the same boot goes on, or a new one took its place. Where
 * both fail, the message is older than what is known.
 *
 * @param now ms, Commander's clock
 */
export function healthUpdates(
  fleet: string,
  thing: string,
  receivedAt: number,
  message: HealthMessage,
  now: number,
): TableUpdate[] {
  const values: Record<string, unknown> = { ...message, receivedAt };
  const written = [...messageAttributes, 'receivedAt'].filter((name) => values[name] !== undefined);
  const gone = messageAttributes.filter((name) => values[name] === undefined);
  const sets = written.map((name) => `#${name} = :${name}`);
  const names = Object.fromEntries([...written, ...gone].map((name) => [`#${name}`, name]));
  const attributes = Object.fromEntries(written.map((name) => [`:${name}`, toJsonAttribute(values[name])]));
  const remove = gone.length > 0 ? ` REMOVE ${gone.map((name) => `#${name}`).join(', ')}` : '';

  const update = (more: string[], condition: string, others: TableUpdate['ExpressionAttributeValues']) => ({
    Key: key(fleet, thing),
    UpdateExpression: `SET ${[...sets, ...more].join(', ')}${remove}`,
    ConditionExpression: condition,
    ExpressionAttributeNames: { ...names },
    ExpressionAttributeValues: { ...attributes, ...others },
  });
  const withName = (base: TableUpdate, ...more: string[]): TableUpdate => ({
    ...base,
    ExpressionAttributeNames: {
      ...base.ExpressionAttributeNames,
      ...Object.fromEntries(more.map((name) => [`#${name}`, name])),
    },
  });

  const here = '#connected = :true';
  const sameBoot = '#bootId = :bootId AND #seq < :seq';
  const notGone =
    '(attribute_not_exists(#disconnectedAt) OR #disconnectedAt <= :receivedAt OR #disconnectedAt > :ahead)';
  const newBoot =
    'attribute_not_exists(#bootId) OR (#bootId <> :bootId AND (#receivedAt > :ahead OR (#receivedAt <= :receivedAt AND ' +
    '(attribute_not_exists(#formerBootId) OR #formerBootId <> :bootId OR #receivedAt < :silentSince))))';
  const ahead = toJsonAttribute(now + clocksApartMsMax);
  return [
    withName(
      update([here], `${sameBoot} AND ${notGone}`, { ':true': { BOOL: true }, ':ahead': ahead }),
      'connected',
      'disconnectedAt',
    ),
    // Received before the disconnect that is known already: news all the same.
    withName(update([], sameBoot, {})),
    withName(
      update([here, '#formerBootId = if_not_exists(#bootId, :none)'], newBoot, {
        ':true': { BOOL: true },
        ':none': { S: '' },
        ':ahead': ahead,
        ':silentSince': toJsonAttribute(receivedAt - silenceMs(message.everySeconds)),
      }),
      'connected',
      'formerBootId',
    ),
  ];
}

/** Presence of a thing that no health message came from is not kept: there is no item yet. */
export function presenceUpdates(
  fleet: string,
  thing: string,
  connected: boolean,
  at: number,
  now: number,
): TableUpdate[] {
  const later = '(attribute_not_exists(#presenceAt) OR #presenceAt < :at OR #presenceAt > :ahead)';
  const base = {
    Key: key(fleet, thing),
    ExpressionAttributeNames: {
      '#presenceAt': 'presenceAt',
      '#connected': 'connected',
      '#receivedAt': 'receivedAt',
    },
    ExpressionAttributeValues: {
      ':at': toJsonAttribute(at),
      ':connected': toJsonAttribute(connected),
      ':ahead': toJsonAttribute(now + clocksApartMsMax),
    },
  };
  if (connected) {
    return [
      {
        ...base,
        UpdateExpression: 'SET #presenceAt = :at, #connected = :connected',
        ConditionExpression: `attribute_exists(#receivedAt) AND ${later}`,
      },
    ];
  }
  return [
    {
      ...base,
      ExpressionAttributeNames: { ...base.ExpressionAttributeNames, '#disconnectedAt': 'disconnectedAt' },
      UpdateExpression: 'SET #presenceAt = :at, #disconnectedAt = :at, #connected = :connected',
      ConditionExpression: `(#receivedAt < :at OR #receivedAt > :ahead) AND ${later}`,
    },
  ];
}
