/** What signs for a node: a remote signer, or a key file in its home. */

import type { Proposal, Timestamp, Vote } from '../signer/privval/gen/types_pb.ts';

export interface NodeSigner {
  publicKey(): Promise<Uint8Array>;
  signVote(
    vote: Vote,
  ): Promise<{ timestamp: Timestamp; signature: Uint8Array; extensionSignature: Uint8Array }>;
  signProposal(proposal: Proposal): Promise<{ signature: Uint8Array }>;
}

/** The signer said no, or could not be asked: the node logs it and goes on without this signature. */
export class NotSignedError extends Error {
  override readonly name = 'NotSignedError';
}
