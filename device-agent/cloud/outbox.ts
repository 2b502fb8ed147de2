/**
 * Alerts and events on their way to the cloud: a bounded queue on disk, sent in order with the bootId and seq that
 * they were made with, so that a message sent twice is recognised.
 */

import { appendFile, mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import * as z from 'zod';
import { writeFileAtomically } from '../home/atomic-file.ts';
import type { Logger } from '../log.ts';

export const outboxEntriesMax = 500;
/** The file is written anew when this many of its lines have been sent. */
const sentLinesMax = 100;
/** After a failure: a time of its own, so that a fleet that lost its broker does not come back at once. */
const retryPauseMs = { min: 1_000, max: 3_000 } as const;
/** AWS takes 100 publishes a second on a connection; health and shadows need some of them. */
const publishGapMs = 20;

const entry = z.object({ topic: z.string().max(256), payload: z.string() });
type Entry = z.infer<typeof entry>;

export interface OutboxOptions {
  file: string;
  log: Logger;
  publish(topic: string, payload: string): Promise<void>;
}

export class Outbox {
  readonly #options: OutboxOptions;
  #entries: Entry[] = [];
  /** Lines of the file whose entries were sent or dropped. */
  #stale = 0;
  #connected = false;
  #sending = false;
  #retry: NodeJS.Timeout | undefined;
  /** Disk writes, one after the other. */
  #disk: Promise<void> = Promise.resolve();

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  /** Reads what an earlier run did not get rid of. A line that a crash cut off is left out. */
  async load(): Promise<void> {
    await mkdir(dirname(this.#options.file), { recursive: true });
    const text = await readFile(this.#options.file, 'utf8').catch(() => '');
    const earlier = text.split('\n').flatMap((line) => {
      try {
        const parsed = entry.safeParse(JSON.parse(line));
        return parsed.success ? [parsed.data] : [];
      } catch {
        return [];
      }
    });
    this.#entries = [...earlier, ...this.#entries].slice(-outboxEntriesMax);
    await this.#rewrite();
  }

  get length(): number {
    return this.#entries.length;
  }

  add(topic: string, payload: string): void {
    const added = { topic, payload };
    this.#entries.push(added);
    if (this.#entries.length > outboxEntriesMax) {
      this.#entries.shift();
      this.#stale += 1;
      this.#options.log.warn(
        { entriesMax: outboxEntriesMax },
        'the queue to the cloud is full: its oldest message was dropped',
      );
    }
    this.#onDisk(() => appendFile(this.#options.file, `${JSON.stringify(added)}\n`));
    if (this.#stale >= sentLinesMax) this.#onDisk(() => this.#rewrite());
    void this.#send();
  }

  connected(): void {
    this.#connected = true;
    void this.#send();
  }

  disconnected(): void {
    this.#connected = false;
  }

  /** Waits until what was added is on disk. */
  async stop(): Promise<void> {
    this.#connected = false;
    clearTimeout(this.#retry);
    await this.#disk;
  }

  async #send(): Promise<void> {
    if (this.#sending) return;
    this.#sending = true;
    try {
      while (this.#connected) {
        const first = this.#entries[0];
        if (!first) break;
        await Promise.all([
          this.#options.publish(first.topic, first.payload),
          // None behind the last one.
          this.#entries.length > 1 ? delay(publishGapMs) : undefined,
        ]);
        // A full queue may have dropped it meanwhile.
        if (this.#entries[0] === first) {
          this.#entries.shift();
          this.#stale += 1;
        }
        if (this.#entries.length === 0 || this.#stale >= sentLinesMax) this.#onDisk(() => this.#rewrite());
      }
    } catch (error) {
      this.#options.log.debug({ reason: String(error) }, 'a message stays in the queue');
      clearTimeout(this.#retry);
      const { min, max } = retryPauseMs;
      this.#retry = setTimeout(() => void this.#send(), min + Math.random() * (max - min));
    } finally {
      this.#sending = false;
    }
  }

  #onDisk(write: () => Promise<void>): void {
    this.#disk = this.#disk.then(write).catch((error) => {
      this.#options.log.warn({ err: error }, 'the queue to the cloud can not be written to disk');
    });
  }

  async #rewrite(): Promise<void> {
    this.#stale = 0;
    await writeFileAtomically(
      this.#options.file,
      this.#entries.map((queued) => `${JSON.stringify(queued)}\n`).join(''),
    );
  }
}
