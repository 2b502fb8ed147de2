/** gaiad's RPC as the signer needs it: how far the chain is, and whose signatures a commit has. */

import * as z from 'zod';
import type { NodeView } from './core/ports.ts';

export const rpcMsMax = 400;
/** A commit of a few hundred validators has some 100 KB. */
const answerBytesMax = 4 * 1024 * 1024;

const numeral = z.string().regex(/^\d{1,16}$/);
const status = z.object({
  result: z.object({
    node_info: z.object({ network: z.string() }),
    sync_info: z.object({ latest_block_height: numeral, catching_up: z.boolean() }),
    /** Of the key that the node itself votes with. */
    validator_info: z.object({ address: z.string().max(64), voting_power: numeral }).optional(),
  }),
});
const commit = z.object({
  result: z.object({
    signed_header: z.object({
      header: z.object({ height: numeral, chain_id: z.string() }),
      commit: z.object({
        signatures: z.array(z.object({ block_id_flag: z.number(), validator_address: z.string() })),
      }),
    }),
  }),
});

async function get<T extends z.ZodType>(
  rpc: string,
  path: string,
  schema: T,
  timeoutMs: number,
): Promise<z.output<T> | undefined> {
  try {
    const url = `${rpc.replace(/\/$/, '')}${path}`;
    const response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs) });
    const text = await response.text();
    return text.length > answerBytesMax ? undefined : schema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

/** @returns undefined where the node does not answer */
export async function rpcChainId(rpc: string, timeoutMs = 2000): Promise<string | undefined> {
  return (await get(rpc, '/status', status, timeoutMs))?.result.node_info.network;
}

export interface RpcValidator {
  /** 40 upper-case hex digits. */
  address: string;
  /** 0 where that key is no validator's. */
  votingPower: number;
  catchingUp: boolean;
}

/** @returns undefined where the node does not answer, or is of another chain */
export async function rpcValidator(
  rpc: string,
  chainId: string,
  timeoutMs = 2000,
): Promise<RpcValidator | undefined> {
  const found = (await get(rpc, '/status', status, timeoutMs))?.result;
  if (found?.node_info.network !== chainId || !found.validator_info) return undefined;
  const { address, voting_power } = found.validator_info;
  return {
    address: address.toUpperCase(),
    votingPower: Number(voting_power),
    catchingUp: found.sync_info.catching_up,
  };
}

/** @param address of our validator, 40 upper-case hex digits */
export function rpcNodeView(rpc: string, chainId: string, address: string, timeoutMs = rpcMsMax): NodeView {
  return {
    async committedHeight() {
      const answer = (await get(rpc, '/status', status, timeoutMs))?.result;
      // A node of another chain bears nothing out, nor does one that syncs: the chain is elsewhere by now.
      if (answer?.node_info.network !== chainId || answer.sync_info.catching_up) return undefined;
      return Number(answer.sync_info.latest_block_height);
    },
    async ourSignatureAt(height) {
      const answer = await get(rpc, `/commit?height=${height}`, commit, timeoutMs);
      const signed = answer?.result.signed_header;
      if (!signed || signed.header.chain_id !== chainId || Number(signed.header.height) !== height) {
        return 'unknown';
      }
      // 1 is an absent vote; 2 and 3, a vote for the block and one for nil, are signatures.
      const ours = signed.commit.signatures.some(
        ({ block_id_flag, validator_address }) => validator_address === address && block_id_flag !== 1,
      );
      return ours ? 'signed' : 'absent';
    },
  };
}
