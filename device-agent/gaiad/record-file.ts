/** `run/gaiad.json`: which process is gaiad, for the next pilot. */

import { mkdir, readFile, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import * as z from 'zod';
import { writeFileAtomically } from '../home/atomic-file.ts';
import type { ProcessIdentity } from './process-identity.ts';

export const gaiadRecord = z.object({
  pid: z.number().int().positive(),
  startTime: z.string(),
  /** ISO time; of the pilot's find where it did not start it. */
  startedAt: z.string(),
  /** Hash of the overlay in the files that it was started with. */
  overlay: z.string(),
});
export type GaiadRecord = z.infer<typeof gaiadRecord>;

export class RecordFile {
  readonly #file: string;
  #record: GaiadRecord | undefined;

  constructor(file: string) {
    this.#file = file;
  }

  get record(): GaiadRecord | undefined {
    return this.#record;
  }

  /** What a pilot before this one wrote; whether that process still runs is the caller's to find out. */
  async read(): Promise<GaiadRecord | undefined> {
    return readFile(this.#file, 'utf8')
      .then((text) => gaiadRecord.parse(JSON.parse(text)))
      .catch(() => undefined);
  }

  /** It still runs. */
  adopt(record: GaiadRecord): void {
    this.#record = record;
  }

  async write({ pid, startTime }: ProcessIdentity, overlay: string): Promise<GaiadRecord> {
    return this.#save({ pid, startTime, startedAt: new Date().toISOString(), overlay });
  }

  /** The files were brought to another overlay without a change that the process would notice. */
  async holds(overlay: string): Promise<void> {
    if (this.#record) await this.#save({ ...this.#record, overlay });
  }

  async forget(): Promise<void> {
    this.#record = undefined;
    await rm(this.#file, { force: true });
  }

  async #save(record: GaiadRecord): Promise<GaiadRecord> {
    this.#record = record;
    await mkdir(dirname(this.#file), { recursive: true });
    await writeFileAtomically(this.#file, `${JSON.stringify(record)}\n`);
    return record;
  }
}
