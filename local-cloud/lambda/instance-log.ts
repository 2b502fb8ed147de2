/** A function's log file, in the form of Lambda's text logs; written at once, so that a terminated thread loses nothing. */
import { appendFileSync, renameSync, statSync } from 'node:fs';
import { format } from 'node:util';

/** At this size the file becomes `<file>.1`, in place of the one before. */
const logBytesMax = 10 * 1024 * 1024;

export class InstanceLog {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  write(text: string): void {
    appendFileSync(this.#path, text);
  }

  line(text: string): void {
    this.write(`${text}\n`);
  }

  /** As Lambda's runtime writes console output. */
  console(requestId: string, level: string, values: unknown[]): void {
    this.line(`${new Date().toISOString()}\t${requestId || 'undefined'}\t${level}\t${format(...values)}`);
  }

  rotate(): void {
    try {
      if (statSync(this.#path).size > logBytesMax) renameSync(this.#path, `${this.#path}.1`);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
}
