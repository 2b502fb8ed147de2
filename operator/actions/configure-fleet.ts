/** What Commander may do by itself: the fleet's `#config` item. Everything in it is switched on by name. */

import { PutItemCommand } from '@aws-sdk/client-dynamodb';
import * as z from 'zod';
import { toJsonItem } from '../../protocol/dynamodb-json.ts';
import {
  cooldownSecondsDefault,
  type FleetConfig,
  fleetConfig,
  fleetItems,
} from '../../protocol/fleet-table.ts';
import { InvalidInputError } from './errors.ts';
import type { Operator } from './operator.ts';
import { checkedFleetName, readFleetItems, readSignRecord } from './read-fleet.ts';

export interface ConfigureFleet {
  fleet: string;
  /** `<chain id>/<consensus address>`: the record in which Commander may grant. */
  recordKey?: string;
  automaticFailover?: boolean;
  cooldownSeconds?: number;
  dryRun?: boolean;
}

export type FleetSettings = Omit<FleetConfig, 'fleet' | 'item'>;

export interface FleetConfigured {
  fleet: string;
  before: FleetSettings | null;
  after: FleetSettings;
  sent: boolean;
  warnings: string[];
}

const recordKeyPattern = /^([^/\s]{1,50})\/[0-9A-F]{40}$/;

/**
 * What is left out stays as it is; of a fleet's first configuration, automatic failover is off.
 * @throws InvalidInputError
 */
export async function configureFleet(operator: Operator, request: ConfigureFleet): Promise<FleetConfigured> {
  const { recordKey, automaticFailover, cooldownSeconds, dryRun = false } = request;
  const fleet = checkedFleetName(request.fleet);
  const chainId = recordKey === undefined ? undefined : recordKeyPattern.exec(recordKey)?.[1];
  if (recordKey !== undefined && chainId === undefined) {
    throw new InvalidInputError(
      `${JSON.stringify(recordKey)} is no record's key: it is <chain id>/<consensus address, 40 upper-case hex digits>, as "beam signer status" shows`,
    );
  }
  const { config } = await readFleetItems(operator, fleet);
  const changed = fleetConfig.safeParse({
    ...(config ?? { automaticFailover: false, cooldownSeconds: cooldownSecondsDefault }),
    fleet,
    item: fleetItems.config,
    ...(recordKey === undefined ? {} : { recordKey, chainId }),
    ...(automaticFailover === undefined ? {} : { automaticFailover }),
    ...(cooldownSeconds === undefined ? {} : { cooldownSeconds }),
  });
  if (!changed.success) throw new InvalidInputError(z.prettifyError(changed.error));
  const { fleet: _, item: __, ...after } = changed.data;
  if (!dryRun) {
    await operator.dynamodb.send(
      new PutItemCommand({ TableName: operator.fleetTable, Item: toJsonItem(changed.data) }),
    );
  }
  return {
    fleet,
    before: config ? settings(config) : null,
    after,
    sent: !dryRun,
    warnings: await warnings(operator, after),
  };
}

const settings = ({ fleet: _, item: __, ...rest }: FleetConfig): FleetSettings => rest;

async function warnings(
  operator: Operator,
  { recordKey, automaticFailover }: FleetSettings,
): Promise<string[]> {
  if (recordKey === undefined) {
    return automaticFailover ? ['no record is named, so nothing will fail over: give --record-key'] : [];
  }
  if (await readSignRecord(operator, recordKey)) return [];
  return [`no sign record ${recordKey} is enrolled yet: run "beam signer enrol" on its first server`];
}
