/**
 * Replaces a server's key and certificate as one: both paths become links into a folder `current`, which is itself a link
 * that one rename moves on. Whoever reads, at any moment and after any crash, finds a key and a certificate that belong together.
 */

import {
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { makeServersFolder, syncFolderOf, writeServersOwn } from './write-whole.ts';

export interface PairFiles {
  certificate: string;
  key: string;
}

const currentName = 'current';
const pairName = /^pair-(\d+)$/;

/** @returns the folder in which the next pair is made; an earlier try's is found again */
export function nextPairFolder({ certificate, key }: PairFiles): string {
  const folder = dirname(certificate);
  if (dirname(key) !== folder || basename(key) === basename(certificate)) {
    throw new Error(`${certificate} and ${key} must be two files of one folder, to be replaced as one.`);
  }
  const next = join(folder, `pair-${currentNumber(folder) + 1}`);
  makeServersFolder(next);
  return next;
}

/** The pair in `folder`, made by `nextPairFolder`, becomes the server's. The one before it is kept, older ones go. */
export function switchPair({ certificate, key }: PairFiles, folder: string): void {
  const parent = dirname(certificate);
  const current = join(parent, currentName);
  if (!existsSync(current)) {
    const first = join(parent, 'pair-0');
    makeServersFolder(first);
    for (const file of [key, certificate]) {
      writeServersOwn(join(first, basename(file)), readFileSync(file, 'utf8'));
    }
    link('pair-0', current);
  }
  for (const file of [key, certificate]) {
    if (!lstatSync(file).isSymbolicLink()) link(join(currentName, basename(file)), file);
  }
  link(basename(folder), current);
  const kept = currentNumber(parent) - 1;
  for (const name of readdirSync(parent)) {
    const number = pairName.exec(name)?.[1];
    if (number !== undefined && Number(number) < kept) rmSync(join(parent, name), { recursive: true });
  }
}

function currentNumber(folder: string): number {
  const current = join(folder, currentName);
  if (!existsSync(current)) return 0;
  return Number(pairName.exec(readlinkSync(current))?.[1] ?? 0);
}

/** Whole there or not at all, over what was there. */
function link(target: string, path: string): void {
  const temporary = `${path}.${process.pid}.tmp`;
  rmSync(temporary, { force: true });
  symlinkSync(target, temporary);
  renameSync(temporary, path);
  syncFolderOf(path);
}
