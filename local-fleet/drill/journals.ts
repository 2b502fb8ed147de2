/** Signers' journals compared: what one key released, on whichever server. */

import { readFile } from 'node:fs/promises';
import { comparePositions, type SignPosition } from '../../protocol/sign-position.ts';
import { type JournalEntry, journalEntry } from '../../protocol/signer-control.ts';

export interface Conflict {
  height: number;
  round: number;
  type: JournalEntry['type'];
  /** The different block ids released there; empty text is nil. */
  blockIds: string[];
}

/**
 * Reads a journal; an absent file is an empty one. A last line without an end is being written, and left out.
 * @throws where a whole line is not an entry: a judge must not look past it.
 */
export async function readJournal(file: string): Promise<JournalEntry[]> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  const lines = text.slice(0, text.lastIndexOf('\n') + 1).split('\n');
  return lines.filter((line) => line.trim() !== '').map((line) => journalEntry.parse(JSON.parse(line)));
}

/** Positions at which more than one block id was released, by one signer or by two. */
export function findConflicts(journals: readonly (readonly JournalEntry[])[]): Conflict[] {
  const released = new Map<string, Conflict>();
  for (const { chainId, height, round, type, blockId } of journals.flat()) {
    const key = `${chainId}/${height}/${round}/${type}`;
    const found = released.get(key);
    if (!found) released.set(key, { height, round, type, blockIds: [blockId] });
    else if (!found.blockIds.includes(blockId)) found.blockIds.push(blockId);
  }
  return [...released.values()].filter(({ blockIds }) => blockIds.length > 1);
}

const steps = { proposal: 1, prevote: 2, precommit: 3 } as const;

/**
 * What a signer that slept through a takeover released of its own old epoch, beyond the position that the record
 * had when it fell asleep. Must be nothing.
 * @param entries its journal's entries since then
 */
export function releasedBeyond(
  entries: readonly JournalEntry[],
  recorded: SignPosition,
  oldEpoch: number,
): JournalEntry[] {
  return entries.filter(
    ({ epoch, height, round, type }) =>
      epoch <= oldEpoch && comparePositions({ height, round, step: steps[type] }, recorded) > 0,
  );
}
