/**
 * A backup: gzipped lines of JSON. The first says what it is, then the store's entries and files, the last one counts them and has the
 * SHA-256 of all before it: a file without it is not whole.
 */

import { createHash } from 'node:crypto';
import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { DiskSnapshot } from '../store/disk.ts';
import type { KeptFile } from './files.ts';

export const backupKind = 'beam local cloud backup';
/** Of the lines; what they hold has the data folder's format. */
export const backupVersion = 1;
const chunkCharactersMax = 64 * 1024;

async function* lines(
  snapshot: DiskSnapshot,
  files: Iterable<KeptFile>,
  header: { format: number; at: string },
): AsyncGenerator<string> {
  const hash = createHash('sha256');
  let entries = 0;
  let chunk = '';
  const line = (value: object) => {
    // Readers of lines take these two for ends of a line as well.
    const json = JSON.stringify(value).replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029');
    const text = `${json}\n`;
    hash.update(text);
    return text;
  };
  yield line({ kind: backupKind, version: backupVersion, ...header });
  for await (const [key, value] of snapshot.entries()) {
    entries++;
    chunk += line({ key, value });
    if (chunk.length < chunkCharactersMax) continue;
    yield chunk;
    chunk = '';
  }
  for (const { path, mode, data } of files) {
    entries++;
    chunk += line({ file: path, mode, data: data.toString('base64') });
    yield chunk;
    chunk = '';
  }
  yield `${chunk}${JSON.stringify({ entries, sha256: hash.digest('hex') })}\n`;
}

/** Resolves when all has gone into `out`, which is ended. */
export async function writeBackup(
  snapshot: DiskSnapshot,
  files: Iterable<KeptFile>,
  header: { format: number; at: string },
  out: Writable,
  signal?: AbortSignal,
): Promise<void> {
  await pipeline(
    Readable.from(lines(snapshot, files, header)),
    createGzip(),
    out,
    ...(signal ? [{ signal }] : []),
  );
}
