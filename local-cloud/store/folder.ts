/**
 * The data folder's form: a number in the store, checked before anything else is read. A newer one is refused, an older one is
 * brought to the present one; what it was made of stays beside until a person removes it.
 */

import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import type { RootDatabase } from 'lmdb';
import { Disk, StoreError } from './disk.ts';
import type { WriteOperation } from './journal-records.ts';
import { syncFolder } from './whole-file.ts';

/**
 * 1: things, shadows and the rest in LMDB (`cloud.lmdb`), DynamoDB's items in a LevelDB (`dynamodb/`). 2: all in one LevelDB (`store/`).
 * 3: with a journal before it.
 * Raised whenever what is on disk changes its form, with a step in `migrate`.
 */
export const formatVersion = 3;

export const storeFolderName = 'store';
/** Of what the store keeps about itself. */
export const metaPrefix = 'meta~';
export const formatKey = `${metaPrefix}format`;
/** Keys of what is no DynamoDB item: `iot~<table>~<key>`. */
export const recordPrefix = 'iot~';
export const recordKey = (table: string, key: string) => `${recordPrefix}${table}~${key}`;

const former = { environment: 'cloud.lmdb', dynamo: 'dynamodb' };
const formerVersionKey = 'format-version';

export interface FolderOptions {
  onFailure?(error: unknown): void;
  /** Only an existing folder of the present format, which is not changed. */
  asItIs?: boolean;
}

/** @throws StoreError where a newer program wrote the folder, another process has it open, or it is damaged */
export async function openFolder(dataDir: string, options: FolderOptions = {}): Promise<Disk> {
  const { asItIs = false, onFailure } = options;
  const path = join(dataDir, storeFolderName);
  if (!existsSync(path)) {
    const isFormer = existsSync(join(dataDir, former.environment));
    if (asItIs)
      throw new StoreError(
        isFormer
          ? `${dataDir} has format 1. Start the cloud once: it brings it to format ${formatVersion}.`
          : `${dataDir} is no local cloud's data: there is no ${path}.`,
      );
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    if (isFormer) await migrate(dataDir);
  }
  return Disk.open(path, {
    createIfMissing: !asItIs,
    ...(onFailure ? { onFailure } : {}),
    async examine(level) {
      const found = await level.get(formatKey);
      if (found !== undefined || asItIs) checkFormat(path, found);
      // Before the journal has anything: a program of before would not read that.
      if (Number(found) !== formatVersion && !asItIs)
        await level.put(formatKey, String(formatVersion), { sync: true });
    },
  });
}

export function checkFormat(path: string, found: unknown): void {
  const format = Number(found);
  if (Number.isInteger(format) && format >= 1 && format <= formatVersion) return;
  throw new StoreError(
    `${path} has format ${String(found)}; this program knows formats up to ${formatVersion}. ` +
      'Start the newer program, or use another data folder.',
  );
}

const copyBatch = 1000;

/** From 1 to 2. Killed at any point, it begins again at the next start: the former halves are there until the rename. */
async function migrate(dataDir: string): Promise<void> {
  const path = join(dataDir, former.environment);
  // A new folder never needs the library.
  const { open } = await import('lmdb');
  const root: RootDatabase<string, string> = open({
    path,
    encoding: 'string',
    maxDbs: 64,
    overlappingSync: false,
  });
  try {
    checkFormat(path, root.get(formerVersionKey));
    const dynamo = join(dataDir, former.dynamo);
    // Its lock tells a program of before that runs.
    const disk = await Disk.open(dynamo);
    try {
      let waiting: WriteOperation[] = [];
      for (const name of [...root.getKeys()].filter((key) => key !== formerVersionKey)) {
        const table = root.openDB<string, string>({ name, encoding: 'string' });
        for (const { key, value } of table.getRange()) {
          waiting.push({ key: recordKey(name, key), text: value });
          if (waiting.length < copyBatch) continue;
          await disk.writes.write(waiting);
          waiting = [];
        }
      }
      await disk.writes.write(waiting);
    } finally {
      await disk.close();
    }
    // From here on the program of before refuses the folder.
    await root.put(formerVersionKey, String(formatVersion));
    renameSync(dynamo, join(dataDir, storeFolderName));
    syncFolder(dataDir);
  } finally {
    await root.close();
  }
}
