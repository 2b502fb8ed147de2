/** A server as the processes on it see it. */

import type { Node } from '../chain/node.ts';
import type { ServerDisk } from '../world/disk.ts';
import type { Way } from '../world/network.ts';
import type { MachineClock, Process } from '../world/process.ts';

export interface Host {
  readonly name: string;
  readonly thing: string;
  readonly zone: string;
  readonly machineId: string;
  readonly clock: MachineClock;
  readonly disk: ServerDisk;
  /** To the cloud: DynamoDB and MQTT alike. */
  readonly way: Way;
  /** Undefined while it does not run. */
  readonly node: { process: Process; model: Node } | undefined;
  readonly rpcUp: boolean;
}
