/** The beside node's CometBFT RPC: bounded, short time-outs, parsed at the edge. node:http, as fetch costs 10 MB. */

import { Agent, get } from 'node:http';
import * as z from 'zod';

const timeoutMs = 2_000;
const bodyBytesMax = 4 * 1024 * 1024;

const integer = z.union([z.number().int(), z.string().regex(/^-?\d+$/)]).transform(Number);
export const blockTime = z.string().transform((text) => Date.parse(text));

export const statusResult = z.object({
  node_info: z.object({ id: z.string(), network: z.string(), version: z.string().default('') }),
  sync_info: z.object({
    latest_block_height: integer,
    latest_block_time: blockTime,
    catching_up: z.boolean(),
  }),
  validator_info: z
    .object({ address: z.string().default(''), voting_power: integer.default(0) })
    .default({ address: '', voting_power: 0 }),
});
export type StatusResult = z.infer<typeof statusResult>;

/** A commit: who signed `height`. Flag 2 is a precommit for the block, 1 none, 3 one for nil. */
export const commit = z.object({
  height: integer,
  signatures: z.array(z.object({ block_id_flag: z.number().int(), validator_address: z.string() })).nullish(),
});
export type Commit = z.infer<typeof commit>;

const commitResult = z.object({
  signed_header: z.object({ commit }),
  /** False at the chain's head, where precommits may still come. */
  canonical: z.boolean().default(true),
});
const netInfoResult = z.object({ n_peers: integer });
const abciInfoResult = z.object({ response: z.object({ version: z.string().default('') }) });
const answer = z.object({
  result: z.unknown().optional(),
  error: z.object({ message: z.string(), data: z.unknown().optional() }).optional(),
});

/** Raised when the node can't be reached, or answers with an error or with what is not CometBFT's answer. */
export class NodeRpcError extends Error {
  override readonly name = 'NodeRpcError';
}

export class NodeRpc {
  readonly #base: string;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 4 });

  /** @param base http://host:port */
  constructor(base: string) {
    this.#base = base;
  }

  status(): Promise<StatusResult> {
    return this.#ask('/status', statusResult);
  }

  /** @returns undefined while the height is the chain's head. */
  async finalCommit(height: number): Promise<Commit | undefined> {
    const { signed_header, canonical } = await this.#ask(`/commit?height=${height}`, commitResult);
    return canonical ? signed_header.commit : undefined;
  }

  async peers(): Promise<number> {
    return (await this.#ask('/net_info', netInfoResult)).n_peers;
  }

  /** The application's version, as the chain binary tells it. */
  async chainVersion(): Promise<string> {
    return (await this.#ask('/abci_info', abciInfoResult)).response.version;
  }

  close(): void {
    this.#agent.destroy();
  }

  async #ask<T extends z.ZodType>(path: string, schema: T): Promise<z.output<T>> {
    const url = new URL(path, this.#base);
    try {
      const { result, error } = answer.parse(JSON.parse(await this.#get(url)));
      if (error) throw new Error([error.message, error.data].filter(Boolean).join(': '));
      return schema.parse(result);
    } catch (error) {
      const why = error instanceof z.ZodError ? z.prettifyError(error) : String(error);
      throw new NodeRpcError(`${url.href}: ${why}`, { cause: error });
    }
  }

  #get(url: URL): Promise<string> {
    return new Promise((resolve, reject) => {
      const request = get(url, { agent: this.#agent, signal: AbortSignal.timeout(timeoutMs) }, (response) => {
        const chunks: Buffer[] = [];
        let bytes = 0;
        response.on('data', (chunk: Buffer) => {
          bytes += chunk.length;
          if (bytes > bodyBytesMax) request.destroy(new Error(`more than ${bodyBytesMax} bytes`));
          else chunks.push(chunk);
        });
        response.on('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
        response.on('error', reject);
      });
      request.on('error', reject);
    });
  }
}
