/** What gaiad writes to stdout and stderr: one file that outlives the pilot, and the one before it. */

import { closeSync, mkdirSync, openSync } from 'node:fs';
import { copyFile, open, rename, stat, truncate } from 'node:fs/promises';
import { dirname } from 'node:path';

export const nodeLogBytesMax = 32 * 1024 * 1024;
const tailBytes = 4_000;
const lineCharsMax = 250;

export class NodeLog {
  readonly file: string;

  constructor(file: string) {
    this.file = file;
  }

  /** Opens it for a process to be started; the caller closes it with `release` once that has it. */
  open(): number {
    mkdirSync(dirname(this.file), { recursive: true });
    return openSync(this.file, 'a', 0o640);
  }

  release(descriptor: number): void {
    closeSync(descriptor);
  }

  /** @param running its process has the file open and goes on writing to it, at its end. */
  async bound(running: boolean): Promise<void> {
    const bytes = await stat(this.file).then(
      ({ size }) => size,
      () => 0,
    );
    if (bytes <= nodeLogBytesMax) return;
    if (running) {
      await copyFile(this.file, `${this.file}.1`);
      await truncate(this.file);
    } else await rename(this.file, `${this.file}.1`);
  }

  /** The last words, for a report of why it ended. */
  async lastWords(): Promise<string> {
    try {
      const file = await open(this.file, 'r');
      try {
        const { size } = await file.stat();
        const length = Math.min(size, tailBytes);
        const { buffer } = await file.read(Buffer.alloc(length), 0, length, size - length);
        const lines = buffer.toString('utf8').split('\n').map(plain).filter(Boolean);
        const different = [...new Set(lines)];
        // A chain's binary prints its usage behind an error.
        const complaints = different.filter((line) => /\berr(?:or)?\b|panic|fatal/i.test(line));
        const telling = complaints.length > 0 ? complaints.slice(-1) : different.slice(-2);
        return telling.map((line) => line.slice(0, lineCharsMax)).join(' | ');
      } finally {
        await file.close();
      }
    } catch {
      return '';
    }
  }
}

function plain(line: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: terminal colours begin with that very character
  return line.replace(/\u001b\[[0-9;]*m/g, '').trim();
}
