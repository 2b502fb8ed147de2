/** What a former signer left on disk of how far it signed: CometBFT's FilePV, tmkms, Horcrux, or Beam itself. */

import { readFileSync, statSync } from 'node:fs';
import * as z from 'zod';
import { roundMax, type SignPosition, signStep } from '../../protocol/sign-position.ts';
import { isCutShort } from '../../protocol/signer-state-lines.ts';
import { readState } from '../disk/state-text.ts';
import { EnrolError } from '../enrol-error.ts';

export interface FormerState {
  path: string;
  mode: number;
  /** Nothing above it was signed, as far as this file knows. */
  position: SignPosition;
  by: 'CometBFT, tmkms or Horcrux' | 'Beam';
}

const bytesMax = 1024 * 1024;
// Each writes 64-bit numbers as text; which ones are 64-bit differs: FilePV's height, tmkms' and Horcrux's round too.
const numeral = z
  .union([z.number().int(), z.string().regex(/^\d{1,15}$/)])
  .transform(Number)
  .pipe(z.number().int().nonnegative());
const cometState = z.object({
  height: numeral,
  round: numeral.pipe(z.number().max(roundMax)),
  // tmkms starts with step 0.
  step: z.number().int().pipe(signStep),
});

/** @throws EnrolError where the file is no signer's state: guessing would be signing twice */
export function readFormerState(path: string): FormerState {
  let text: string;
  let mode: number;
  try {
    const found = statSync(path);
    if (found.size > bytesMax) throw new Error(`it has ${found.size} bytes`);
    mode = found.mode & 0o777;
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new EnrolError(`${path} can't be read as a signer's state: ${(error as Error).message}`, {
      cause: error,
    });
  }
  const comet = cometState.safeParse(parsed(text));
  if (comet.success) return { path, mode, position: comet.data, by: 'CometBFT, tmkms or Horcrux' };
  if (isCutShort(text)) {
    // What is missing may be any number of states, and each of them a signature.
    throw new EnrolError(
      `${path} ends in the middle of a line, so it may be a copy that was cut short and lack what was signed last; copy it again. Where the signer's own file ends so (its machine lost power), take that unfinished line out: no signature left on its strength`,
    );
  }
  try {
    const { seen, own } = readState(text);
    const { height, round, step } = seen.height >= own.height ? seen : own;
    return { path, mode, position: { height, round, step }, by: 'Beam' };
  } catch (error) {
    throw new EnrolError(
      `${path} is neither a priv_validator_state.json (of CometBFT, tmkms or Horcrux) nor a state.json of Beam (${(error as Error).message}); leave it out, or give the right one`,
      { cause: error },
    );
  }
}

/** @returns undefined where it is not one JSON text: Beam's has several */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
