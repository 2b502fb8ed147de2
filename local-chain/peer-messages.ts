/** What stand-in nodes say to each other: one JSON object a line. Blocks and votes go through the network's folder. */

import { randomBytes } from 'node:crypto';
import * as z from 'zod';
import { type KeyPair, nodeIdOf, signatureHolds, signWith } from './keys.ts';

export const peerLineBytesMax = 4096;

const hex = (bytes: number) => z.string().regex(new RegExp(`^[0-9a-f]{${bytes * 2}}$`));

export const peerHello = z.object({
  type: z.literal('hello'),
  standIn: z.literal(true),
  publicKey: hex(32),
  /** To be signed by the other. */
  nonce: hex(16),
  chainId: z.string().max(50),
  moniker: z.string().max(128),
  listen: z.string().max(256),
  rpc: z.string().max(256),
});
export type PeerHello = z.infer<typeof peerHello>;

export const peerMessage = z.discriminatedUnion('type', [
  peerHello,
  z.object({ type: z.literal('proof'), signature: hex(64) }),
  /** Hops from the speaker to the other validators; null: it has no way to them. */
  z.object({ type: z.literal('reach'), hops: z.number().int().nonnegative().nullable() }),
  z.object({ type: z.literal('ping') }),
]);
export type PeerMessage = z.infer<typeof peerMessage>;

/** What a node tells of itself. */
export type SelfDescription = Pick<PeerHello, 'chainId' | 'moniker' | 'listen' | 'rpc'>;

export function newHello(key: KeyPair, self: SelfDescription): PeerHello {
  return {
    type: 'hello',
    standIn: true,
    publicKey: key.publicKey.toString('hex'),
    nonce: randomBytes(16).toString('hex'),
    ...self,
  };
}

const proofBytes = (nonce: string, chainId: string): Buffer =>
  Buffer.from(`stand-in-peer/${chainId}/${nonce}`);

export function proofFor(key: KeyPair, { nonce, chainId }: PeerHello): PeerMessage {
  return { type: 'proof', signature: signWith(key, proofBytes(nonce, chainId)).toString('hex') };
}

/** @returns the peer's node id where it proved to hold its key, else undefined. */
export function provenId(mine: PeerHello, theirs: PeerHello, signature: string): string | undefined {
  const key = Buffer.from(theirs.publicKey, 'hex');
  const holds = signatureHolds(key, proofBytes(mine.nonce, mine.chainId), Buffer.from(signature, 'hex'));
  return holds ? nodeIdOf(key) : undefined;
}
