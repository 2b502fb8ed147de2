/**
 * What stands in `state.json`: one state a line, the last one counts. The first line came there by a rename, and is whole; what
 * follows was appended. A last line without its end was being written when the process or the machine ended: nothing left
 * on its strength, and the line before it counts.
 */

import { lastStateLine } from '../../protocol/signer-state-lines.ts';
import { type SignerState, signerState } from '../core/state.ts';

export function stateLine(state: SignerState): string {
  return `${JSON.stringify(state)}\n`;
}

/** @throws Error that says what is wrong with it */
export function readState(text: string): SignerState {
  const parsed = signerState.safeParse(JSON.parse(lastStateLine(text)));
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map(
    ({ path, message }) => `${path.join('.') || 'the file'}: ${message}`,
  );
  throw new Error(faults.join('; '));
}
