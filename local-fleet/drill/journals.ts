/** Signers' journals compared: what one key released, on whichever server. */

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { comparePositions, type SignPosition } from '../../protocol/sign-position.ts';
import { type JournalEntry, journalEntry } from '../../protocol/signer-control.ts';
import { lastEntryOf, withLastEntry } from '../../protocol/signer-state-lines.ts';

export interface Conflict {
  height: number;
  round: number;
  type: JournalEntry['type'];
  /** The different block ids released there; empty text is nil. */
  blockIds: string[];
}

const journalFile = /^journal(?:\.(\d+))?\.jsonl$/;

/**
 * Every entry of a signer's journal, oldest first: `journal.jsonl` in its state folder, older ones with a number, and the last one out of
 * `state.json`, where each stands before its signature leaves. No folder: no entries. A line that a kill cut off is written again from there.
 * @throws where a whole line is not an entry: a judge must not look past it.
 */
export async function readJournal(stateFolder: string): Promise<JournalEntry[]> {
  const last = lastEntryOf(await readFile(join(stateFolder, 'state.json'), 'utf8').catch(unlessMissing('')));
  const names = await readdir(stateFolder).catch(unlessMissing<string[]>([]));
  const files = names
    .flatMap((name) => {
      const match = journalFile.exec(name);
      return match ? [{ name, age: Number(match[1] ?? 0) }] : [];
    })
    .sort((a, b) => b.age - a.age);
  const texts = await Promise.all(files.map(({ name }) => readFile(join(stateFolder, name), 'utf8')));
  const entries = texts.flatMap((text) => text.split('\n').flatMap(parseLine));
  return withLastEntry(entries, last);
}

function unlessMissing<T>(instead: T) {
  return (error: NodeJS.ErrnoException): T => {
    if (error.code === 'ENOENT') return instead;
    throw error;
  };
}

function parseLine(line: string): JournalEntry[] {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return [];
  }
  return [journalEntry.parse(value)];
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
