/** What a local fleet is made of, and its chain: decided at the first start, kept in fleet.json. */

import { rmSync } from 'node:fs';
import { basename } from 'node:path';
import { sdkChain } from './chains/sdk-chain.ts';
import { standInChain } from './chains/stand-in.ts';
import { dataPaths, FleetDataError, type FleetFile, readFleetFile } from './data/layout.ts';
import { freePorts, portIsFree } from './processes/ports.ts';

export interface FleetPlan {
  fleet: string;
  chainId: string;
  /** 'stand-in', or a chain binary's path or name; undefined: as stored, else the stand-in. */
  chain?: string | undefined;
  /** Undefined: as stored, else `blockSecondsDefault`. */
  blockSeconds?: number | undefined;
  /** Of the cloud; undefined: as stored, else the usual ones where they are free. */
  mqttPort?: number | undefined;
  httpsPort?: number | undefined;
  /** Never the usual ports: another fleet's they may be. */
  freePortsOnly?: boolean;
  nodes: { name: string; kind: 'validator' | 'sentry'; zone: string }[];
}

const zones = ['local-1', 'local-2'] as const;

/** Validators a, b, …, in two zones by turns, and a sentry in each zone. */
export function usualNodes(validators = 2): FleetPlan['nodes'] {
  return [
    ...Array.from({ length: validators }, (_, index) => ({
      name: String.fromCharCode('a'.charCodeAt(0) + index),
      kind: 'validator' as const,
      zone: zones[index % zones.length] ?? zones[0],
    })),
    ...zones.map((zone, index) => ({ name: `s${index + 1}`, kind: 'sentry' as const, zone })),
  ];
}

export const standInName = 'stand-in';
export const blockSecondsDefault = 2;
/** AWS IoT's port of MQTT, and one that needs no rights. */
const usualPorts = { mqttPort: 8883, httpsPort: 8443, credentialsPort: 8444 } as const;

/** Raised when a port that the fleet needs is another process's. */
export class PortTakenError extends Error {
  override readonly name = 'PortTakenError';
}

/**
 * The fleet of the folder as it was made, or undefined.
 * @throws FleetDataError where the plan asks for another chain than the one that is there
 */
export function storedFleet(data: string, plan: FleetPlan, standInScript: string): FleetFile | undefined {
  const stored = readFleetFile(data);
  if (!stored) return undefined;
  const remedy = `a chain is decided at the first start: give a new folder with --data, or leave the option out`;
  if (plan.chain !== undefined && chainName(plan.chain) !== chainName(stored.chain.name)) {
    throw new FleetDataError(`${data} has a fleet on ${stored.chain.name}, not on ${plan.chain}; ${remedy}`);
  }
  if (plan.blockSeconds !== undefined && plan.blockSeconds !== stored.blockSeconds) {
    throw new FleetDataError(
      `${data} has a fleet with blocks of ${stored.blockSeconds} s, not ${plan.blockSeconds} s; ${remedy}`,
    );
  }
  const { mqttPort = stored.cloud.mqttPort, httpsPort = stored.cloud.httpsPort } = plan;
  const { credentialsPort } = stored.cloud;
  // The stand-in is the code that runs now, whichever made the chain.
  const binary = stored.chain.standIn ? [process.execPath, standInScript] : stored.chain.binary;
  const cloud = { mqttPort, httpsPort, ...(credentialsPort !== undefined && { credentialsPort }) };
  return { ...stored, cloud, chain: { ...stored.chain, binary } };
}

function chainName(chain: string): string {
  return basename(chain);
}

/** Makes the chain; an unfinished one of an earlier try is made again. The caller writes fleet.json. */
export async function makeFleet(
  data: string,
  plan: FleetPlan,
  cloud: FleetFile['cloud'],
  standInScript: string,
): Promise<FleetFile> {
  const paths = dataPaths(data);
  const { fleet, chainId, blockSeconds = blockSecondsDefault, chain: wanted = standInName } = plan;
  const ports = await freePorts(plan.nodes.length * 2);
  const nodes = plan.nodes.map((node, index) => ({
    ...node,
    p2pPort: ports[index * 2] ?? 0,
    rpcPort: ports[index * 2 + 1] ?? 0,
  }));
  const maker = wanted === standInName ? standInChain(standInScript) : sdkChain(wanted);
  rmSync(paths.chain, { recursive: true, force: true });
  const chain = await maker.make({ out: paths.chain, chainId, blockSeconds, nodes, freePorts });
  return { version: 1, fleet, cloud, nodes, blockSeconds, chain };
}

/** Ports for a cloud that has none yet. */
export async function cloudPorts(plan: FleetPlan): Promise<FleetFile['cloud']> {
  const usual = async (port: number) =>
    !plan.freePortsOnly && (await portIsFree(port)) ? port : ((await freePorts(1))[0] ?? 0);
  const mqttPort = plan.mqttPort ?? (await usual(usualPorts.mqttPort));
  const httpsPort = plan.httpsPort ?? (await usual(usualPorts.httpsPort));
  return { mqttPort, httpsPort, credentialsPort: await usual(usualPorts.credentialsPort) };
}

/** A fleet that was made without one gets a port that stays, too. */
export async function withCredentialsPort(cloud: FleetFile['cloud']): Promise<Required<FleetFile['cloud']>> {
  const credentialsPort = cloud.credentialsPort ?? (await freePorts(1))[0] ?? 0;
  return { ...cloud, credentialsPort };
}

/** @throws PortTakenError that names each port that is not free, and what needs it */
export async function requirePorts(needed: readonly { port: number; what: string }[]): Promise<void> {
  const free = await Promise.all(needed.map(({ port }) => portIsFree(port)));
  const taken = needed.filter((_, index) => !free[index]);
  if (taken.length === 0) return;
  const list = taken.map(({ port, what }) => `${port} (${what})`).join(', ');
  throw new PortTakenError(
    `in use by another process: port ${list}; end that process` +
      (taken.some(({ what }) => what.startsWith('the cloud'))
        ? ', or choose others with --mqtt-port and --https-port'
        : ', or begin a new fleet in another folder with --data'),
  );
}
