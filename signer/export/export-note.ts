/**
 * What an export writes down in its folder before it seals: by its token a seal is known again after a crash, so that
 * the export goes on where it was, and by nothing else.
 */

import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { signPosition } from '../../protocol/sign-position.ts';
import { writeDurably } from '../disk/atomic-file.ts';
import { EnrolError } from '../enrol-error.ts';

const exportNote = z.strictObject({
  version: z.literal(1),
  token: z.string().min(16),
  /** ISO time. */
  begun: z.string(),
  chainId: z.string(),
  address: z.string(),
  guard: z.enum(['record', 'local']),
  recordId: z.string().optional(),
  /** The record alone does not tell how far the key signed: ten quiet blocks must. */
  fromChain: z.boolean(),
  /** ISO time: state and key are in the folder. */
  done: z.string().optional(),
  floor: signPosition.optional(),
});
export type ExportNote = z.infer<typeof exportNote>;

const name = 'beam-export.json';

/** @returns undefined where the folder has none @throws EnrolError */
export async function readNote(folder: string): Promise<ExportNote | undefined> {
  const path = join(folder, name);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new EnrolError(`${path} can't be read: ${(error as Error).message}`, { cause: error });
  }
  try {
    return exportNote.parse(JSON.parse(text));
  } catch (error) {
    throw new EnrolError(
      `${path} is no note of an export of ours, or a damaged one; give a new folder with --out`,
      {
        cause: error,
      },
    );
  }
}

export async function writeNote(folder: string, note: ExportNote): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeDurably(join(folder, name), `${JSON.stringify(note, undefined, 2)}\n`);
}
