/**
 * Lines of the signer's `state.json`: one state a line, the last whole one counts. A last line without its end was being written when
 * the process or the machine ended, or the file is a copy that was cut short. A file of a single line may lack its end.
 */

import { isDeepStrictEqual } from 'node:util';
import * as z from 'zod';
import { type JournalEntry, journalEntry } from './signer-control.ts';

const stateWithEntry = z.looseObject({ lastEntry: journalEntry.optional() });

export function lastStateLine(text: string): string {
  const end = text.lastIndexOf('\n');
  return end < 0 ? text : text.slice(text.lastIndexOf('\n', end - 1) + 1, end);
}

/** What the journal beside this file may lack yet. @param text empty: there is no file. @throws Error where the last line is no such state */
export function lastEntryOf(text: string): JournalEntry | undefined {
  if (text === '') return undefined;
  return stateWithEntry.parse(JSON.parse(lastStateLine(text))).lastEntry;
}

/** A journal with the line that may be in the state file alone. @param last read before the journal: it leaves the state once the journal has it */
export function withLastEntry(journal: JournalEntry[], last: JournalEntry | undefined): JournalEntry[] {
  return !last || journal.some((entry) => isDeepStrictEqual(entry, last)) ? journal : [...journal, last];
}

/** Whether something stands behind the last whole line. */
export function isCutShort(text: string): boolean {
  return text.includes('\n') && !text.endsWith('\n');
}
