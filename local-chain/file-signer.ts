/**
 * A node that signs by itself, with the key file in its home, as gaiad does where no `priv_validator_laddr` is set.
 * Its guard is this file's last position alone (CometBFT privval/file.go): two such nodes with one key double sign.
 */

import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { create } from '@bufbuild/protobuf';
import * as z from 'zod';
import { type Proposal, type Timestamp, TimestampSchema, type Vote } from '../signer/privval/gen/types_pb.ts';
import { proposalSignBytes, voteSignBytes } from '../signer/privval/sign-bytes.ts';
import { signedType } from '../signer/privval/signed-types.ts';
import { type KeyPair, signWith } from './keys.ts';
import { type NodeSigner, NotSignedError } from './node-signer.ts';

const integer = z.union([z.number().int(), z.string().regex(/^\d+$/)]).transform(Number);
export const validatorStateFile = z.object({
  height: integer,
  round: integer,
  step: integer,
  signature: z.string().optional(),
  signbytes: z.string().optional(),
});
type ValidatorState = z.infer<typeof validatorStateFile>;

export const emptyValidatorState = `${JSON.stringify({ height: '0', round: 0, step: 0 }, undefined, 2)}\n`;

export class FileSigner implements NodeSigner {
  readonly #key: KeyPair;
  readonly #statePath: string;
  readonly #chainId: string;
  #state: ValidatorState;

  constructor(options: { key: KeyPair; statePath: string; chainId: string }) {
    this.#key = options.key;
    this.#statePath = options.statePath;
    this.#chainId = options.chainId;
    const text = existsSync(this.#statePath) ? readFileSync(this.#statePath, 'utf8') : emptyValidatorState;
    this.#state = validatorStateFile.parse(JSON.parse(text));
  }

  async publicKey(): Promise<Uint8Array> {
    return this.#key.publicKey;
  }

  async signVote(vote: Vote) {
    const bytes = voteSignBytes(this.#chainId, vote);
    const step = vote.type === signedType.prevote ? 2 : 3;
    const signature = this.#sign(Number(vote.height), vote.round, step, bytes);
    const timestamp: Timestamp = vote.timestamp ?? create(TimestampSchema);
    return { timestamp, signature, extensionSignature: new Uint8Array(0) };
  }

  async signProposal(proposal: Proposal) {
    const bytes = proposalSignBytes(this.#chainId, proposal);
    return { signature: this.#sign(Number(proposal.height), proposal.round, 1, bytes) };
  }

  #sign(height: number, round: number, step: number, bytes: Uint8Array): Buffer {
    const last = this.#state;
    const order = height - last.height || round - last.round || step - last.step;
    const signbytes = Buffer.from(bytes).toString('hex').toUpperCase();
    if (order === 0 && last.signbytes === signbytes && last.signature)
      return Buffer.from(last.signature, 'base64');
    if (order <= 0) {
      throw new NotSignedError(
        `asked for ${height}/${round}/${step} after ${last.height}/${last.round}/${last.step} was signed`,
      );
    }
    const signature = signWith(this.#key, bytes);
    this.#state = { height, round, step, signature: signature.toString('base64'), signbytes };
    const temporary = `${this.#statePath}.tmp`;
    writeFileSync(temporary, `${JSON.stringify({ ...this.#state, height: String(height) }, undefined, 2)}\n`);
    renameSync(temporary, this.#statePath);
    return signature;
  }
}
