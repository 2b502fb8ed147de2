/**
 * The control socket between a signer and what runs beside it (its pilot, `beam signer status`): a unix socket of
 * mode 0600, one JSON object a line, each way. It can make a signer look at the record or stand by; it cannot
 * make it sign, and a grant comes from the record alone.
 */

import * as z from 'zod';
import { signPosition } from './sign-position.ts';
import { signerSummary } from './topics.ts';

export const controlLineBytesMax = 16_384;

export const controlRequest = z.discriminatedUnion('type', [
  /** Answered by one `status`. */
  z.object({ type: z.literal('status') }),
  /** A `status` now, at every change and with every beat or read of it, until the connection closes. */
  z.object({ type: z.literal('watch') }),
  /** The role shadow says that this server should be active in `epoch`: read the record now. */
  z.object({ type: z.literal('grant'), epoch: z.number().int().nonnegative() }),
  /** The role shadow says standby: `fenced` has been seen and becomes `standby`. */
  z.object({ type: z.literal('stand-by') }),
  /** The node beside committed this height. */
  z.object({ type: z.literal('commit'), height: z.number().int().nonnegative() }),
]);
export type ControlRequest = z.infer<typeof controlRequest>;

export const signerStatus = signerSummary.extend({
  type: z.literal('status'),
  chainId: z.string(),
  guard: z.enum(['none', 'record', 'local']),
  /** The record as last read; undefined under the local guard or before the first read. */
  record: z
    .object({
      epoch: z.number().int(),
      holder: z.string(),
      grantEpoch: z.number().int(),
      grantTo: z.string(),
      position: signPosition,
      /** ms since the last successful read or write. */
      ageMs: z.number(),
    })
    .optional(),
  /** The holder's beat as this signer reads it, by its own monotonic clock. */
  beat: z
    .object({
      epoch: z.number().int(),
      /** As last read, `<incarnation>/<count>`, empty where the epoch has none; left out by the holder itself. */
      mark: z.string().max(128).optional(),
      /** ms since it last rose. */
      stillMs: z.number(),
      /** Successful reads since it last rose. */
      readsStill: z.number().int(),
      yielded: z.boolean(),
      /** Three reads over T, or yielded: the holder no longer signs. */
      lost: z.boolean(),
    })
    .optional(),
  /** The last position released by this process's machine. */
  released: signPosition,
  /** What is not in the way of signing yet: credentials that can't be renewed, a clock that is off. */
  warning: z.string().max(300).optional(),
  nodeConnected: z.boolean(),
  /** ms since the node last asked for a signature; undefined before the first. */
  sinceRequestMs: z.number().optional(),
  blockSeconds: z.number().optional(),
  signed: z.number().int(),
  refused: z.number().int(),
  pid: z.number().int(),
  version: z.string(),
});
export type SignerStatus = z.infer<typeof signerStatus>;

export const controlReply = z.discriminatedUnion('type', [
  signerStatus,
  z.object({ type: z.literal('error'), message: z.string() }),
  z.object({ type: z.literal('ok') }),
]);
export type ControlReply = z.infer<typeof controlReply>;

/** One line of the signer's journal of released signatures (`journal.jsonl`). */
export const journalEntry = z.object({
  /** ISO time, the signer's clock. */
  at: z.string(),
  chainId: z.string(),
  height: z.number().int(),
  round: z.number().int(),
  type: z.enum(['proposal', 'prevote', 'precommit']),
  /** `blockIdText`; empty for nil. */
  blockId: z.string(),
  /** The vote's timestamp, `<seconds>.<nanoseconds>`. */
  timestamp: z.string(),
  /** Hex of SHA-256 of the sign bytes. */
  signBytesHash: z.string(),
  epoch: z.number().int(),
  thing: z.string(),
});
export type JournalEntry = z.infer<typeof journalEntry>;

/** Above this T is not needed, below it the cloud's latency would count as silence (design, section 4). */
export function beatPeriodMs(blockSeconds: number | undefined): number {
  const half = blockSeconds === undefined ? Number.POSITIVE_INFINITY : (blockSeconds * 1000) / 2;
  return Math.max(1000, Math.min(1500, half));
}
