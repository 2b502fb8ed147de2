import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';

const setGidBit = 0o2000;

/**
 * A folder with the setgid bit is shared with its group, as Beam's package makes `certs`: the signer, a user of its own, gets its
 * credentials by the server's key and certificate. Any other folder is its owner's alone.
 */
function isShared(folder: string): boolean {
  return existsSync(folder) && (statSync(folder).mode & setGidBit) !== 0;
}

/** Writes the server's own key or certificate: for its owner, and for the group where the folder is shared with it. */
export function writeServersOwn(path: string, text: string): void {
  writeWhole(path, text, isShared(dirname(path)) ? 0o640 : 0o600);
}

/** Makes a folder for the server's own files that is shared as the one around it is. (The setgid bit is handed down by the system.) */
export function makeServersFolder(path: string): void {
  mkdirSync(path, { recursive: true, mode: isShared(dirname(path)) ? 0o750 : 0o700 });
}

/** Whole on disk or not there: written beside, synced, renamed, the folder synced. */
export function writeWhole(path: string, text: string, mode: number): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.${process.pid}.tmp`;
  const file = openSync(temporary, 'w', mode);
  try {
    writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(temporary, path);
  syncFolderOf(path);
}

/** A name that was made, moved or removed there is so after a power cut, too. */
export function syncFolderOf(path: string): void {
  const folder = openSync(dirname(path), 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
