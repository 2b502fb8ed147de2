/**
 * The signer's state on disk: `state.json`, and beside it `enrolled.json` with the pins alone, which is only ever
 * written at enrolment. With it a state that is gone is told from one that never was.
 */

import { join } from 'node:path';
import type { StateFile, StateReading } from '../core/ports.ts';
import { type SignerState, signerState } from '../core/state.ts';
import { writeDurably, writeSynced } from './atomic-file.ts';
import { type Disk, type DiskFile, systemDisk } from './disk.ts';

export class DiskStateFile implements StateFile {
  readonly dir: string;
  readonly #state: string;
  readonly #next: string;
  readonly #marker: string;
  readonly #disk: Disk;
  /** Lies synced beside the state, or is on its way there. */
  #staged: { text: string; written: Promise<boolean> } | undefined;
  /** One at a time: a file that is written twice at once holds a mixture, one that is written while it is renamed spoils the state. */
  #nextInUse = false;
  #folder: DiskFile | undefined;

  constructor(dir: string, disk: Disk = systemDisk) {
    this.dir = dir;
    this.#disk = disk;
    this.#state = join(dir, 'state.json');
    this.#next = join(dir, 'state.json.next');
    this.#marker = join(dir, 'enrolled.json');
  }

  async load(): Promise<StateReading> {
    const [text, marker] = await Promise.all([read(this.#disk, this.#state), read(this.#disk, this.#marker)]);
    if (text.kind === 'missing') {
      if (marker.kind === 'missing') return { kind: 'none' };
      return {
        kind: 'lost',
        reason: `${this.#state} is gone, though ${this.#marker} shows that this signer was enrolled: without it nobody knows what this machine signed; put the latest copy back if it surely is the latest, else move ${this.dir} away and join the record again (under the local guard: enrol again)`,
      };
    }
    const unreadable = (why: string): StateReading => ({
      kind: 'unreadable',
      reason: `${this.#state} can't be read (${why}): mend it, or move ${this.dir} away and join the record again (under the local guard: enrol again)`,
    });
    if (text.kind === 'error') return unreadable(text.why);
    let value: unknown;
    try {
      value = JSON.parse(text.text);
    } catch (error) {
      return unreadable((error as Error).message);
    }
    const parsed = signerState.safeParse(value);
    if (!parsed.success) {
      return unreadable(
        parsed.error.issues
          .map(({ path, message }) => `${path.join('.') || 'the file'}: ${message}`)
          .join('; '),
      );
    }
    const state = parsed.data;
    // A crash between the two files of an enrolment.
    if (marker.kind === 'missing' && state.enrolment === 'done') await this.#mark(state);
    return { kind: 'state', state };
  }

  async save(state: SignerState): Promise<void> {
    const text = `${JSON.stringify(state)}\n`;
    const staged = this.#staged;
    if (staged?.text === text && (await staged.written)) await this.#putStaged();
    else await writeDurably(this.#state, text, this.#disk);
  }

  stage(state: SignerState): void {
    if (this.#nextInUse) return;
    this.#nextInUse = true;
    const text = `${JSON.stringify(state)}\n`;
    const written = writeSynced(this.#next, text, this.#disk).then(
      () => true,
      () => false,
    );
    this.#staged = { text, written };
    void written.then(() => {
      this.#nextInUse = false;
    });
  }

  /** As `putInPlace`, with the folder kept open: each signature waits for this. */
  async #putStaged(): Promise<void> {
    this.#staged = undefined;
    this.#nextInUse = true;
    try {
      this.#folder ??= await this.#disk.open(this.dir, 'r');
      await this.#disk.rename(this.#next, this.#state);
      await this.#folder.sync();
    } finally {
      this.#nextInUse = false;
    }
  }

  /** The first save of an enrolment: makes the folder. */
  async create(state: SignerState): Promise<void> {
    await this.#disk.mkdir(this.dir, { recursive: true, mode: 0o700 });
    await this.save(state);
    if (state.enrolment === 'done') await this.#mark(state);
  }

  async #mark({ guard, record, publicKey, chainId, thing }: SignerState): Promise<void> {
    const pins = { guard, ...(record ? { record } : {}), publicKey, chainId, thing };
    await writeDurably(this.#marker, `${JSON.stringify(pins)}\n`, this.#disk);
  }
}

type Text = { kind: 'text'; text: string } | { kind: 'missing' } | { kind: 'error'; why: string };

async function read(disk: Disk, path: string): Promise<Text> {
  try {
    return { kind: 'text', text: await disk.readFile(path, 'utf8') };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' ? { kind: 'missing' } : { kind: 'error', why: message };
  }
}
