/**
 * A data folder from a backup: made beside, and renamed when it is whole and on disk.
 *
 * A sign record of a backup is behind what was signed since. So each one gets another `recordId`, which every signer that was
 * enrolled refuses, and is sealed, so that none can join it either: the way on is a new enrolment, whose floor comes from
 * the chain.
 */

import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, existsSync, mkdirSync, readdirSync, renameSync, rmdirSync, rmSync } from 'node:fs';
import { dirname, join, normalize, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { createGunzip } from 'node:zlib';
import * as z from 'zod';
import { fromJsonItem, toJsonItem } from '../../protocol/dynamodb-json.ts';
import {
  beatItem,
  sealedEpoch,
  sealedHolder,
  signRecord,
  signTableName,
  signTablePartitionKey,
} from '../../protocol/sign-record.ts';
import { Disk, StoreError } from '../store/disk.ts';
import { formatKey, formatVersion, metaPrefix, storeFolderName } from '../store/folder.ts';
import type { WriteOperation } from '../store/journal-records.ts';
import { syncFolder, writeWhole } from '../store/whole-file.ts';
import { backupKind, backupVersion } from './backup.ts';

const header = z.object({
  kind: z.literal(backupKind),
  version: z.number().int(),
  format: z.number().int(),
  at: z.string(),
});
const entryLine = z.object({ key: z.string(), value: z.string() });
const fileLine = z.object({ file: z.string().min(1), mode: z.number().int(), data: z.base64() });
const trailer = z.object({ entries: z.number().int(), sha256: z.string() });

export interface Restored {
  /** ISO time of the backup. */
  at: string;
  /** Of the store. */
  entries: number;
  /** Beside it: keys, certificates, functions. */
  files: number;
  /** Keys of sign records, each of which has another id now. */
  signRecords: string[];
}

/** Written together. */
const batchMax = 500;

/**
 * @param dataDir must not exist, or be empty
 * @throws StoreError; nothing is left of a folder that could not be made whole
 */
export async function restoreBackup(file: string, dataDir: string): Promise<Restored> {
  const target = resolve(dataDir);
  if (existsSync(target) && readdirSync(target).length > 0)
    throw new StoreError(`${target} is not empty. Stop its cloud and move it away, or name a new folder.`);
  const folder = `${target}.restoring-${process.pid}`;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  try {
    const restored = await fill(file, folder);
    if (existsSync(target)) rmdirSync(target);
    renameSync(folder, target);
    syncFolder(dirname(target));
    return restored;
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

async function fill(file: string, folder: string): Promise<Restored> {
  const disk = await Disk.open(join(folder, storeFolderName));
  try {
    let waiting: WriteOperation[] = [];
    const signRecords: string[] = [];
    let entries = 0;
    let files = 0;
    const told = await readBackup(file, async (line) => {
      if ('file' in line) {
        files++;
        return keepFile(folder, line);
      }
      const { key } = line;
      if (key.startsWith(metaPrefix)) return;
      const value = isItemKey(key) ? foreignItem(key, line.value, signRecords) : line.value;
      if (value === undefined) return;
      entries++;
      waiting.push({ key, text: value });
      if (waiting.length < batchMax) return;
      await disk.writes.write(waiting);
      waiting = [];
    });
    await disk.writes.write([...waiting, { key: formatKey, text: String(told.format) }]);
    return { at: told.at, entries, files, signRecords };
  } finally {
    await disk.close();
  }
}

const isItemKey = (key: string) => key.startsWith('item-');

/** @returns what is stored in an item's place: a sign record that is another one, no beat of a former one */
function foreignItem(levelKey: string, value: string, signRecords: string[]): string | undefined {
  const item = objectOf(value);
  const plain = item && plainOf(item);
  const isOfSignTable = levelKey.startsWith(`item-${signTableName}~`);
  if (!item || (!isOfSignTable && !signRecord.safeParse(plain).success)) return value;
  if (beatItem.safeParse(plain).success) return undefined;
  signRecords.push(String(plain?.[signTablePartitionKey]));
  const token = randomBytes(16).toString('hex');
  const changed = {
    recordId: token,
    epoch: sealedEpoch,
    holder: sealedHolder,
    incarnation: token,
    grantTo: '',
    sealedAt: new Date().toISOString(),
  };
  return JSON.stringify({ ...item, ...toJsonItem(changed) });
}

/** @returns undefined where a value is broken: it stays so, and whoever reads it refuses it */
function objectOf(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function plainOf(item: Record<string, unknown>): Record<string, unknown> | undefined {
  try {
    return fromJsonItem(item);
  } catch {
    return undefined;
  }
}

function keepFile(folder: string, { file, mode, data }: z.infer<typeof fileLine>): void {
  const path = join(folder, normalize(file));
  if (!path.startsWith(`${folder}/`)) throw new StoreError(`The backup names a file outside of it: ${file}`);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeWhole(path, Buffer.from(data, 'base64'), mode & 0o777);
}

type Line = z.infer<typeof entryLine> | z.infer<typeof fileLine>;

/** Hands on every line once. @throws StoreError where the file is another, of a newer program, or not whole */
async function readBackup(
  file: string,
  take: (line: Line) => Promise<void> | void,
): Promise<{ format: number; at: string }> {
  if (!existsSync(file)) throw new StoreError(`There is no file ${file}.`);
  const notWhole = (why: string, cause?: unknown) =>
    new StoreError(`${file} is no whole backup of a local cloud: ${why}. Take another one.`, { cause });
  const hash = createHash('sha256');
  let head: z.infer<typeof header> | undefined;
  let end: z.infer<typeof trailer> | undefined;
  let entries = 0;
  const source = createReadStream(file);
  const unzipped = createGunzip();
  source.on('error', (error) => unzipped.destroy(error));
  source.pipe(unzipped);
  try {
    for await (const line of createInterface({ input: unzipped, crlfDelay: Number.POSITIVE_INFINITY })) {
      if (end) throw notWhole('something follows its end');
      const value: unknown = JSON.parse(line);
      if (!head) head = openHeader(file, value);
      else {
        const last = trailer.safeParse(value);
        if (last.success) {
          end = last.data;
          continue;
        }
        entries++;
        await take(z.union([entryLine, fileLine]).parse(value));
      }
      hash.update(`${line}\n`);
    }
  } catch (error) {
    if (error instanceof StoreError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw notWhole(error instanceof z.ZodError ? 'a line is of another kind' : why, error);
  } finally {
    source.destroy();
  }
  if (!head) throw notWhole('it is empty');
  if (!end) throw notWhole('its end is missing');
  if (end.entries !== entries || end.sha256 !== hash.digest('hex')) throw notWhole('it was changed');
  return { format: head.format, at: head.at };
}

function openHeader(file: string, value: unknown): z.infer<typeof header> {
  const parsed = header.safeParse(value);
  if (!parsed.success) throw new StoreError(`${file} is no backup of a local cloud.`);
  if (parsed.data.version > backupVersion || parsed.data.format > formatVersion)
    throw new StoreError(
      `${file} was written by a newer program (format ${parsed.data.format}; this one knows formats up to ${formatVersion}). Restore it with the newer program.`,
    );
  return parsed.data;
}
