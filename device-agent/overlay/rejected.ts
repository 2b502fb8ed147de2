/** The list of rejected settings as a shadow can hold it: no nulls in arrays (AWS refuses them), and small. Pure. */

import type { RejectedSetting } from '../../protocol/shadows.ts';

export const rejectedMax = 20;
/** Of the list as JSON: desired and reported share 8 KB. */
const rejectedBytesMax = 2_500;
const valueCharsMax = 120;
const pathCharsMax = 256;
const reasonCharsMax = 300;

export function rejectedSetting(path: string, value: unknown, reason: string): RejectedSetting {
  return { path: path.slice(0, pathCharsMax), value: shown(value), reason: reason.slice(0, reasonCharsMax) };
}

/** @returns the first ones, as many as fit; the last one says how many more there are. */
export function boundRejected(rejected: readonly RejectedSetting[]): RejectedSetting[] {
  const kept: RejectedSetting[] = [];
  let bytes = 0;
  for (const setting of rejected) {
    bytes += Buffer.byteLength(JSON.stringify(setting));
    if (kept.length > 0 && (bytes > rejectedBytesMax || kept.length === rejectedMax - 1)) {
      const more = rejected.length - kept.length;
      return [...kept, rejectedSetting('…', more, 'so many more; the log of the pilot has them all')];
    }
    kept.push(setting);
  }
  return kept;
}

/** Short, and without a null: a whole value where that is small and plain, else its text. */
function shown(value: unknown): RejectedSetting['value'] {
  if (value === undefined || value === null) return '(none)';
  const text = JSON.stringify(value) ?? '(none)';
  if (text.length > valueCharsMax) return `${text.slice(0, valueCharsMax - 3)}...`;
  return text.includes('null') ? text : JSON.parse(text);
}
