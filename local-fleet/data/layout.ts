/**
 * Where things are in a local fleet's data folder, and `fleet.json`, which keeps what was decided when the fleet
 * was made: the next start goes on from it.
 */

import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import * as z from 'zod';
import { fleetName, nodeKind, nodeName } from '../../protocol/names.ts';
import { unixPathBytesMax } from '../../protocol/unix-socket.ts';

const port = z.number().int().min(1).max(65_535);

export const fleetFile = z.object({
  version: z.literal(1),
  fleet: fleetName,
  cloud: z.object({
    mqttPort: port,
    httpsPort: port,
    /** Left out: a fleet that was made before it had one. */
    credentialsPort: port.optional(),
  }),
  nodes: z.array(
    z.object({
      name: nodeName,
      kind: nodeKind,
      zone: z.string(),
      p2pPort: port,
      rpcPort: port,
    }),
  ),
  blockSeconds: z.number().positive(),
  chain: z.object({
    /** 'stand-in', or the binary's name. */
    name: z.string(),
    standIn: z.boolean(),
    /** The stand-in's is the bundle of the code that runs now, so it is not kept here. */
    binary: z.array(z.string()),
    startArguments: z.array(z.string()),
    chainId: z.string(),
    consensusKeyFile: z.string(),
    homes: z.record(z.string(), z.object({ home: z.string(), nodeId: z.string() })),
    others: z.array(
      z.object({
        name: z.string(),
        command: z.array(z.string()),
        rpc: z.string(),
        p2p: z.string(),
        nodeId: z.string(),
      }),
    ),
  }),
});
export type FleetFile = z.infer<typeof fleetFile>;

/** Raised when a data folder holds what this version can't go on from. */
export class FleetDataError extends Error {
  override readonly name = 'FleetDataError';
}

export function dataPaths(data: string) {
  return {
    fleet: join(data, 'fleet.json'),
    /** The cloud's ready line, for the `beam` command. */
    local: join(data, 'local.json'),
    cloud: join(data, 'cloud'),
    chain: join(data, 'chain'),
    chainUnfinished: join(data, 'chain.unfinished'),
    /** The authority and the operator's certificate. */
    pki: join(data, 'pki'),
    logs: join(data, 'logs'),
    processes: join(data, 'run/processes.json'),
    node: (name: string) => join(data, 'nodes', name),
  };
}

/** @returns undefined where the fleet was not made yet. */
export function readFleetFile(data: string): FleetFile | undefined {
  const file = dataPaths(data).fleet;
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const remedy = `move ${data} away to begin a new fleet, or give another folder with --data`;
  try {
    return fleetFile.parse(JSON.parse(text));
  } catch (error) {
    throw new FleetDataError(`${file} is not a fleet of this version of Beam: ${remedy}`, { cause: error });
  }
}

export function writeFleetFile(data: string, fleet: FleetFile): void {
  writeJson(dataPaths(data).fleet, fleet);
}

export function writeJson(file: string, value: unknown): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.tmp`, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${file}.tmp`, file);
}

/** @returns a folder for a home's unix sockets: its own `run`, or a short one elsewhere where that is too deep. */
export function socketFolder(home: string): string {
  const own = join(home, 'run');
  const longest = Buffer.byteLength(join(own, 'signer-control.sock'));
  if (longest <= unixPathBytesMax) return own;
  const short = createHash('sha256').update(home).digest('hex').slice(0, 12);
  return join(tmpdir(), `beam-${userInfo().uid}-${short}`);
}
