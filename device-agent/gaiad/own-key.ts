/**
 * gaiad's own key in a mode in which Beam does not sign: there gaiad may sign by itself, so the pilot must not start a second signer
 * of a key that something else may sign with. Two signs of that: this server's signer is enrolled for the key, so the
 * sign record says who may sign; and a node that did not run when the pilot first came to it.
 */

import { createHash } from 'node:crypto';
import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { lastStateLine } from '../../protocol/signer-state-lines.ts';
import { errorCode } from '../home/error-code.ts';

/** Of the signer's `state.json`: the signer saw that the record was sealed (`beam signer export`), so that nothing of Beam signs with the key. */
const sealed = z.object({ bar: z.object({ code: z.literal('sealed') }) });
/** What of its `enrolled.json` says whose key it is: base64 of the Ed25519 public key. */
const enrolled = z.object({ publicKey: z.string().regex(/^[A-Za-z0-9+/]{43}=$/) });

export interface OwnKey {
  /** Consensus address of the key that this server's signer is enrolled for. @throws where that can't be told */
  enrolledAddress(): Promise<string | undefined>;
  /** Why the first start is the operator's; undefined: it is not. */
  firstStart(): Promise<string | undefined>;
  /** What a person has to do about a key on the node. */
  remedy: string;
}

/**
 * @param stateDir the signer's state folder; undefined: this server has none.
 * @param keyFiles files that the node would read a key from, beside CometBFT's default.
 */
export function ownKey(options: {
  validator: boolean;
  stateDir: string | undefined;
  gaiadHome: string;
  keyFiles(): Promise<string[]>;
}): OwnKey {
  const { validator, stateDir, gaiadHome, keyFiles } = options;
  return {
    async enrolledAddress() {
      if (stateDir === undefined) return undefined;
      if (await isSealed(stateDir)) return undefined;
      const file = join(stateDir, 'enrolled.json');
      try {
        const { publicKey } = enrolled.parse(JSON.parse(await readFile(file, 'utf8')));
        const key = Buffer.from(publicKey, 'base64');
        return createHash('sha256').update(key).digest('hex').slice(0, 40).toUpperCase();
      } catch (error) {
        if (errorCode(error) === 'ENOENT') return undefined;
        throw new Error(
          `${file} can't be read as a signer's enrolment, so nobody knows which key gaiad must not have; mend it, or move ${stateDir} away`,
          { cause: error },
        );
      }
    },
    async firstStart() {
      if (!validator) return undefined;
      for (const file of [join(gaiadHome, 'config/priv_validator_key.json'), ...(await keyFiles())]) {
        if (!(await isThere(file))) continue;
        return `it did not run when the pilot first came here, and ${file} holds a key: should another server sign with it, this one would double sign. If none does, start gaiad yourself once; the pilot takes it from there.`;
      }
      return undefined;
    },
    remedy:
      stateDir === undefined
        ? ''
        : `This server's signer is enrolled for that key (${stateDir}), so the sign record says who may sign, and gaiad by itself would not ask it. Take the key off the chain home, or give the right up first: docs/stages.md, "Going back".`,
  };
}

/** In doubt it is not. */
async function isSealed(stateDir: string): Promise<boolean> {
  try {
    const text = await readFile(join(stateDir, 'state.json'), 'utf8');
    return sealed.safeParse(JSON.parse(lastStateLine(text))).success;
  } catch {
    return false;
  }
}

async function isThere(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
