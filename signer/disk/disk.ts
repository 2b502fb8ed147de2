/** The disk as the signer uses it: `node:fs/promises`, or one that a simulator loses power on. */

import * as fs from 'node:fs/promises';

export interface FileId {
  size: number;
  /** Device and inode: another file under the same name has others. */
  dev: number;
  ino: number;
}

export const idOf = ({ dev, ino }: FileId) => `${dev}/${ino}`;

export interface DiskFile {
  appendFile(data: string | Uint8Array): Promise<void>;
  writeFile(data: string): Promise<void>;
  read(buffer: Uint8Array, offset: number, length: number, position: number): Promise<{ bytesRead: number }>;
  stat(): Promise<FileId>;
  sync(): Promise<void>;
  close(): Promise<void>;
}

export interface Disk {
  open(path: string, flags: 'r' | 'w' | 'as+', mode?: number): Promise<DiskFile>;
  readFile(path: string, encoding: 'utf8'): Promise<string>;
  stat(path: string): Promise<FileId>;
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  mkdir(path: string, options: { recursive: true; mode: number }): Promise<unknown>;
}

export const systemDisk: Disk = fs;
