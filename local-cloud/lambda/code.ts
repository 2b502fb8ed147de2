/** A function's zip: checked, and unpacked into a folder of its own version. */

import { createHash, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { unzipSync } from 'fflate';
import { AwsError } from '../registry/aws-error.ts';
import { writeWhole } from '../store/whole-file.ts';

/** Lambda's limits. */
export const zipBytesMax = 50 * 1024 * 1024;
const unpackedBytesMax = 250 * 1024 * 1024;
const filesMax = 10_000;

const invalid = (message: string) => new AwsError(400, 'InvalidParameterValueException', message);

export function codeHash(zip: Uint8Array): string {
  return createHash('sha256').update(zip).digest('base64');
}

/** @throws AwsError where it is no zip, too large, or has a file that would lie elsewhere */
export function filesOf(zip: Uint8Array): Map<string, Uint8Array> {
  if (zip.length > zipBytesMax)
    throw new AwsError(413, 'RequestTooLargeException', `The zip has more than ${zipBytesMax} bytes`);
  let bytes = 0;
  let count = 0;
  let unpacked: Record<string, Uint8Array>;
  try {
    unpacked = unzipSync(zip, {
      filter({ name, originalSize }) {
        bytes += originalSize;
        count++;
        if (bytes > unpackedBytesMax || count > filesMax)
          throw invalid(
            `Unzipped size must be smaller than ${unpackedBytesMax} bytes, in ${filesMax} files at most`,
          );
        if (!isPlain(name))
          throw invalid(`The zip has a file that would lie elsewhere: ${JSON.stringify(name)}`);
        return !name.endsWith('/');
      },
    });
  } catch (error) {
    if (error instanceof AwsError) throw error;
    throw invalid('Could not unzip uploaded file. Please check your file, then try to upload again.');
  }
  const files = new Map(Object.entries(unpacked));
  if (files.size === 0) throw invalid('Uploaded file must be a non-empty zip');
  return files;
}

function isPlain(name: string): boolean {
  const parts = name.replace(/\/$/, '').split('/');
  return parts.every((part) => part !== '' && part !== '.' && part !== '..' && !/[\p{Cc}\\]/u.test(part));
}

/** Folder of a function's unpacked code below `root`. */
export function codeFolder(root: string, name: string, codeSha256: string): string {
  return join(root, name, Buffer.from(codeSha256, 'base64').toString('hex').slice(0, 32));
}

/** Unpacks where that has not been done yet; a folder is there whole or not at all. Other versions of the function go. */
export function unpack(root: string, name: string, codeSha256: string, files: Map<string, Uint8Array>): void {
  const folder = codeFolder(root, name, codeSha256);
  if (existsSync(folder)) return;
  const temporary = join(root, `.${randomUUID()}`);
  mkdirSync(temporary, { recursive: true });
  // Without a package.json of its own a function's .js is CommonJS, wherever this folder lies.
  // Whole at each moment: while one function is made, another may be loading.
  writeWhole(join(root, 'package.json'), '{"type":"commonjs"}\n', 0o644);
  for (const [file, content] of files) {
    const path = join(temporary, file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
  }
  mkdirSync(dirname(folder), { recursive: true });
  renameSync(temporary, folder);
}

/** Removes the versions of a function that are not `kept`. */
export function forgetOther(root: string, name: string, kept: string | undefined): void {
  const folder = join(root, name);
  if (!existsSync(folder)) return;
  for (const version of readdirSync(folder)) {
    const path = join(folder, version);
    if (path !== kept) rmSync(path, { recursive: true, force: true });
  }
  if (kept === undefined) rmSync(folder, { recursive: true, force: true });
}
