/**
 * A server's disk. What was written and not synced lives in the machine's memory: a killed process loses none of it, a
 * machine that loses power may lose any part of it, and tear what it was writing (as POSIX lets a file system). What was synced
 * stays: an append does not change what stands before it.
 */

import type { Disk, DiskFile } from '../../signer/disk/disk.ts';
import type { SeededChance } from '../../signer/rehearsal/seeded.ts';
import type { Process } from './process.ts';

interface Inode {
  ino: number;
  cached: string;
  durable: string;
}
type Folder = Map<string, Inode>;

/** A copy of a disk as it was: file names and what is in them. */
export type DiskImage = ReadonlyMap<string, string>;

const syncMsMax = 4;
/** Now and then a disk hesitates: what a process does meanwhile, and where it is killed, must be right then, too. */
const hesitates = 0.03;
const hesitationMsMax = 300;

export class ServerDisk {
  readonly #chance: SeededChance;
  #cached: Folder = new Map();
  /** The names that a power loss leaves, as the last sync of the folder left them. */
  #durable: Folder = new Map();
  #inodes = 0;
  /** While set, what is written fails so. */
  fault: string | undefined;
  /** Hash of what was last released by a process of this disk; undefined: the disk was put back, and knows of nothing. */
  released: string | undefined;

  constructor(chance: SeededChance) {
    this.#chance = chance;
  }

  /** What a power loss at this instant would surely leave. */
  durable(path: string): string | undefined {
    return this.#durable.get(path)?.durable;
  }

  image(): DiskImage {
    return new Map([...this.#cached].map(([path, { cached }]) => [path, cached]));
  }

  restore(image: DiskImage): void {
    this.released = undefined;
    this.#cached = new Map(
      [...image].map(([path, text]) => [path, { ino: ++this.#inodes, cached: text, durable: text }]),
    );
    this.#durable = new Map(this.#cached);
  }

  losePower(): void {
    const chance = this.#chance;
    const kept = new Map(this.#durable);
    for (const [path, inode] of this.#cached) if (chance.happens(0.5)) kept.set(path, inode);
    for (const path of this.#durable.keys())
      if (!this.#cached.has(path) && chance.happens(0.5)) kept.delete(path);
    for (const inode of kept.values()) {
      if (inode.cached === inode.durable) continue;
      const fate = chance.next();
      const kept = inode.cached.startsWith(inode.durable) ? inode.durable.length : 0;
      const torn = inode.cached.slice(0, kept + chance.below(inode.cached.length - kept));
      if (fate < 0.4) inode.cached = inode.durable;
      else if (fate < 0.6) inode.cached = torn;
      // The file's new length came to the disk, what was to stand there did not (ext4, XFS).
      else if (fate < 0.8) inode.cached = torn.padEnd(inode.cached.length, '\0');
      inode.durable = inode.cached;
    }
    this.#cached = new Map(kept);
    this.#durable = kept;
  }

  /** The disk as one process of the server uses it. */
  of(process: Process): Disk {
    const failing = () => {
      if (this.fault) throw Object.assign(new Error(this.fault), { code: 'ENOSPC' });
    };
    const missing = (path: string) =>
      Object.assign(new Error(`ENOENT: no such file or directory, '${path}'`), { code: 'ENOENT' });
    const write = async (act: () => void) => {
      failing();
      act();
    };
    const synced = async (act: () => void) => {
      const msMax = this.#chance.happens(hesitates) ? hesitationMsMax : syncMsMax;
      await process.sleep(this.#chance.next() * msMax);
      failing();
      act();
    };
    const folderFile = (): DiskFile => ({
      ...noFile,
      sync: () => process.effect(() => synced(() => (this.#durable = new Map(this.#cached)))),
    });
    const file = (inode: Inode, appendsSynced: boolean): DiskFile => ({
      // Opened with O_SYNC: what was appended may be there before it is known to be.
      appendFile: async (data) => {
        const text = textOf(data);
        await process.effect(async () => {
          // A disk that is full takes what there is room for.
          if (this.fault) inode.cached += text.slice(0, text.length / 2);
          failing();
          inode.cached += text;
        });
        if (appendsSynced) await process.effect(() => synced(() => (inode.durable = inode.cached)));
      },
      writeFile: (data) => process.effect(() => write(() => (inode.cached = data))),
      read: async (buffer, offset, length, position) => {
        const part = Buffer.from(inode.cached).subarray(position, position + length);
        buffer.set(part, offset);
        return { bytesRead: part.length };
      },
      stat: async () => idOf(inode),
      sync: () => process.effect(() => synced(() => (inode.durable = inode.cached))),
      close: async () => {},
    });
    return {
      open: async (path, flags: string) => {
        // Folders are opened to be synced.
        if (flags === 'r') return folderFile();
        return await process.effect(async () => {
          failing();
          const found = this.#cached.get(path);
          const appends = flags === 'as+' || flags === 'a+';
          if (found && appends) return file(found, flags === 'as+');
          // Truncated, it is another content under the same name.
          const made: Inode = { ino: ++this.#inodes, cached: '', durable: '' };
          this.#cached.set(path, made);
          return file(made, flags === 'as+');
        });
      },
      readFile: (path) =>
        process.effect(async () => {
          const found = this.#cached.get(path);
          if (!found) throw missing(path);
          return found.cached;
        }),
      stat: (path) =>
        process.effect(async () => {
          const found = this.#cached.get(path);
          if (!found) throw missing(path);
          return idOf(found);
        }),
      rename: (from, to) =>
        process.effect(() =>
          write(() => {
            const found = this.#cached.get(from);
            if (!found) throw missing(from);
            this.#cached.delete(from);
            this.#cached.set(to, found);
          }),
        ),
      unlink: (path) => process.effect(() => write(() => this.#cached.delete(path))),
      mkdir: async () => {},
    };
  }
}

const idOf = ({ ino, cached }: Inode) => ({ dev: 1, ino, size: Buffer.byteLength(cached) });

function textOf(data: string | Uint8Array): string {
  return typeof data === 'string' ? data : Buffer.from(data).toString('utf8');
}

async function notAFile(): Promise<never> {
  throw new Error('a folder is only synced');
}
const noFile: DiskFile = {
  appendFile: notAFile,
  writeFile: notAFile,
  read: notAFile,
  stat: notAFile,
  sync: notAFile,
  close: async () => {},
};
