/** What every part of a simulated fleet shares. */

import { createHash } from 'node:crypto';
import {
  type SignRecord,
  signRecordKey,
  signTableName,
  signTablePartitionKey,
} from '../../protocol/sign-record.ts';
import { fromItem } from '../../protocol/sign-record-dynamodb.ts';
import { consensusAddress } from '../../signer/core/service.ts';
import { chainId } from '../../signer/rehearsal/requests.ts';
import type { SeededChance } from '../../signer/rehearsal/seeded.ts';
import type { Chain } from '../chain/chain.ts';
import type { NodeRates } from '../chain/node.ts';
import type { Tables } from '../cloud/dynamodb.ts';
import type { Iot } from '../cloud/iot.ts';
import type { DynamoFaults } from '../cloud/sign-table.ts';
import type { NetworkRates } from '../world/network.ts';
import type { Scheduler } from '../world/scheduler.ts';
import type { Safety } from './safety.ts';

export const fleetName = 'sim';
export const publicKey = new Uint8Array(32).fill(7);
export const recordKey = signRecordKey(chainId, consensusAddress(publicKey));
export const recordItemKey = { [signTablePartitionKey]: { S: recordKey } };

/** Stands for Ed25519, which is not what this is about: deterministic, and whoever has the bytes can check it. */
export function standInSignature(bytes: Uint8Array): Uint8Array {
  return createHash('sha512').update(bytes).digest();
}

export interface World {
  scheduler: Scheduler;
  chance: SeededChance;
  /** For draws that come often and seldom matter. */
  jitter: SeededChance;
  chain: Chain;
  tables: Tables;
  iot: Iot;
  safety: Safety;
  dynamo: DynamoFaults;
  /** In force now: faults that stop set them to quiet. */
  network: NetworkRates;
  nodes: NodeRates;
  /** Probability that a process that starts is to die at one of its next effects. */
  dies: number;
  extensions: boolean;
  healthSeconds: number;
  /** Sign bytes that the record ever held, in base64, each with the epoch in which they were recorded. */
  held: Map<string, number>;
  trace: (text: string) => void;
}

export function recordOf(tables: Tables): SignRecord | undefined {
  const item = tables.get(signTableName, recordItemKey);
  return item && (fromItem(item) as unknown as SignRecord);
}
