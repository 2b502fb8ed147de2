/** The node beside, its configuration, and what its chain takes for which fault. */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import toml from '@iarna/toml';
import * as z from 'zod';
import type { Stage } from '../../protocol/stages.ts';
import type { NodeAddress } from '../home.ts';
import type { Finding } from './finding.ts';

const rpcMsMax = 3000;

export interface NodeStatus {
  chainId: string;
  height: number;
  blockTimeMs: number;
  catchingUp: boolean;
}

const status = z.object({
  result: z.object({
    node_info: z.object({ network: z.string() }),
    sync_info: z.object({
      latest_block_height: z.string().regex(/^\d{1,16}$/),
      latest_block_time: z.string(),
      catching_up: z.boolean(),
    }),
  }),
});
const abciAnswer = z.object({ result: z.object({ response: z.object({ value: z.string().min(1) }) }) });

async function ask<T extends z.ZodType>(url: string, schema: T): Promise<z.output<T> | undefined> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(rpcMsMax) });
    return schema.safeParse(await response.json()).data;
  } catch {
    return undefined;
  }
}

/** @returns undefined where the node does not answer, or not that */
export async function nodeStatus(rpc: string): Promise<NodeStatus | undefined> {
  const found = (await ask(`${rpc.replace(/\/$/, '')}/status`, status))?.result;
  if (!found) return undefined;
  return {
    chainId: found.node_info.network,
    height: Number(found.sync_info.latest_block_height),
    blockTimeMs: Date.parse(found.sync_info.latest_block_time),
    catchingUp: found.sync_info.catching_up,
  };
}

export interface SlashingParams {
  windowBlocks: number;
  /** Of the window, 0 to 1. */
  minSigned: number;
  jailSeconds: number;
  /** Of the stake, 0 to 1. */
  doubleSign: number;
  downtime: number;
}

/** @returns undefined where the chain does not tell: it has no slashing module, or another one */
export async function slashingParams(rpc: string): Promise<SlashingParams | undefined> {
  const path = encodeURIComponent('"/cosmos.slashing.v1beta1.Query/Params"');
  const found = await ask(`${rpc.replace(/\/$/, '')}/abci_query?path=${path}`, abciAnswer);
  try {
    return found && parseSlashingParams(Buffer.from(found.result.response.value, 'base64'));
  } catch {
    return undefined;
  }
}

/**
 * cosmos/slashing/v1beta1: QueryParamsResponse { params = 1 }, Params { signed_blocks_window = 1, min_signed_per_window = 2,
 * downtime_jail_duration = 3, slash_fraction_double_sign = 4, slash_fraction_downtime = 5 }. Its decimals are text: the
 * value times 10^18.
 * @throws where the bytes are something else
 */
export function parseSlashingParams(bytes: Uint8Array): SlashingParams | undefined {
  const params = fieldsOf(bytes).get(1);
  if (!(params instanceof Uint8Array)) return undefined;
  const fields = fieldsOf(params);
  const duration = fields.get(3);
  const seconds = duration instanceof Uint8Array ? fieldsOf(duration).get(1) : undefined;
  return {
    windowBlocks: Number(fields.get(1) ?? 0),
    minSigned: decimal(fields.get(2)),
    jailSeconds: Number(seconds ?? 0),
    doubleSign: decimal(fields.get(4)),
    downtime: decimal(fields.get(5)),
  };
}

function fieldsOf(bytes: Uint8Array): Map<number, bigint | Uint8Array> {
  const reader = new BinaryReader(bytes);
  const fields = new Map<number, bigint | Uint8Array>();
  while (reader.pos < reader.len) {
    const [field, wire] = reader.tag();
    if (wire === WireType.Varint) fields.set(field, BigInt(reader.int64()));
    else if (wire === WireType.LengthDelimited) fields.set(field, reader.bytes());
    else reader.skip(wire, field);
  }
  return fields;
}

function decimal(bytes: bigint | Uint8Array | undefined): number {
  const text = bytes instanceof Uint8Array ? Buffer.from(bytes).toString('latin1') : '0';
  if (!/^\d{1,40}$/.test(text)) throw new Error('not a decimal of the Cosmos SDK');
  return Number(text) / 1e18;
}

export function chainFindings(
  node: NodeStatus | undefined,
  chainId: string,
  params: SlashingParams | undefined,
): Finding[] {
  const check = 'chain';
  if (!node) {
    return [
      {
        check,
        level: 'warning',
        text: 'the node’s RPC does not answer',
        remedy: 'start gaiad, and check [gaiad] rpc: a signer without it refuses after any gap',
      },
    ];
  }
  const findings: Finding[] = [];
  if (node.chainId !== chainId) {
    findings.push({
      check,
      level: 'critical',
      text: `the node is on chain ${node.chainId}, this signer signs for ${chainId} alone`,
      remedy: 'correct [signer] chain_id, [gaiad] rpc, or the node',
    });
  }
  findings.push(
    node.catchingUp
      ? {
          check,
          level: 'warning',
          text: `the node catches up (height ${node.height}): it bears nothing out until it is level`,
          remedy: 'wait for it',
        }
      : { check, level: 'well', text: `${node.chainId} at height ${node.height}` },
  );
  findings.push(
    params
      ? { check, level: 'well', text: describeSlashing(params) }
      : {
          check,
          level: 'unknown',
          text: 'the chain does not tell its slashing parameters',
          remedy: 'look them up: what downtime costs tells how long a refusing signer may stand',
        },
  );
  return findings;
}

function describeSlashing({
  windowBlocks,
  minSigned,
  jailSeconds,
  doubleSign,
  downtime,
}: SlashingParams): string {
  const percent = (share: number) => `${Number((share * 100).toPrecision(6))} %`;
  const missedMax = windowBlocks - Math.ceil(windowBlocks * minSigned);
  return (
    `slashing: past ${missedMax} missed of ${windowBlocks} blocks ${percent(downtime)} of the stake and ${jailSeconds} s in jail; ` +
    `a double sign ${percent(doubleSign)}, and tombstoned for ever`
  );
}

/** The settings of gaiad's config.toml on which the guard leans. Where Beam does not sign they are the operator's own. */
export function configFindings(gaiadHome: string, node: NodeAddress, mode: Stage): Finding[] {
  const check = 'node';
  if (mode !== 'sign') {
    return [
      {
        check,
        level: 'well',
        text: `mode is ${mode}: Beam signs nothing here, and gaiad’s signer is not Beam’s`,
      },
    ];
  }
  const path = join(gaiadHome, 'config/config.toml');
  if (!existsSync(path)) {
    return [
      { check, level: 'unknown', text: `${path} is not there`, remedy: 'check [gaiad] home in config.toml' },
    ];
  }
  let config: z.infer<typeof gaiadConfig>;
  try {
    config = gaiadConfig.parse(toml.parse(readFileSync(path, 'utf8')));
  } catch (error) {
    return [
      {
        check,
        level: 'warning',
        text: `${path} can't be read: ${(error as Error).message.split('\n')[0]}`,
        remedy: 'mend it: gaiad can’t read it either',
      },
    ];
  }
  const findings: Finding[] = [];
  const laddr = config.priv_validator_laddr ?? '';
  if (laddr === '') {
    findings.push({
      check,
      level: 'critical',
      text: `priv_validator_laddr is empty in ${path}: this node signs with its own key file, past every guard`,
      remedy: 'let the pilot start it (beam start), or set it to the signer’s address',
    });
  } else if (node.kind === 'unix' && laddr !== `unix://${node.path}`) {
    findings.push({
      check,
      level: 'warning',
      text: `priv_validator_laddr is ${laddr}, and this signer dials unix://${node.path}`,
      remedy: 'let the pilot set it, or make [signer] socket the same',
    });
  }
  const looksBack = config.consensus?.double_sign_check_height ?? 0;
  if (looksBack !== 0) {
    findings.push({
      check,
      level: 'warning',
      text: `double_sign_check_height is ${looksBack}: a hot standby panics with it when it has caught up`,
      remedy: 'set it to 0; the sign record and enrolment stand in its place',
    });
  }
  if (config.blocksync?.adaptive_sync === true) {
    findings.push({
      check,
      level: 'critical',
      text: 'adaptive_sync is on: it can make a node sign past such checks (cometbft#5953)',
      remedy: 'set adaptive_sync = false in [blocksync]',
    });
  }
  if (findings.length > 0) return findings;
  return [
    {
      check,
      level: 'well',
      text: `priv_validator_laddr is ${laddr}, double_sign_check_height 0, adaptive_sync off`,
    },
  ];
}

const gaiadConfig = z.object({
  priv_validator_laddr: z.string().optional(),
  consensus: z.object({ double_sign_check_height: z.number().optional() }).optional(),
  blocksync: z.object({ adaptive_sync: z.boolean().optional() }).optional(),
});
