/**
 * The signer's state on disk: `state.json` (state-text.ts), and beside it `enrolled.json` with the pins alone, which is only
 * ever written at enrolment. With it a state that is gone is told from one that never was.
 *
 * Each save appends a line, by a write that returns once it is on disk: a third of the time of a file that is written beside,
 * synced, renamed, and its folder synced. That whole way goes the first save of a process, and one each time the file is full.
 */

import { join } from 'node:path';
import { comparePositions, showPosition } from '../../protocol/sign-position.ts';
import { isCutShort } from '../../protocol/signer-state-lines.ts';
import type { StateFile, StateReading } from '../core/ports.ts';
import { positionOf } from '../core/request.ts';
import type { SignerState } from '../core/state.ts';
import { writeDurably } from './atomic-file.ts';
import { type Disk, type DiskFile, idOf, systemDisk } from './disk.ts';
import { newestEntries } from './journal.ts';
import { readState, stateLine } from './state-text.ts';

/** Some 250 states. */
const bytesMaxDefault = 256 * 1024;

export class DiskStateFile implements StateFile {
  readonly dir: string;
  readonly #state: string;
  readonly #marker: string;
  readonly #disk: Disk;
  readonly #bytesMax: number;
  /** Of this process's own making, so that no torn line of another one stands in it. */
  #file: DiskFile | undefined;
  #id = '';
  #bytes = 0;

  constructor(dir: string, disk: Disk = systemDisk, bytesMax = bytesMaxDefault) {
    this.dir = dir;
    this.#disk = disk;
    this.#bytesMax = bytesMax;
    this.#state = join(dir, 'state.json');
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
    let state: SignerState;
    try {
      state = readState(text.text);
    } catch (error) {
      return unreadable((error as Error).message);
    }
    const above = isCutShort(text.text) && (await this.#releasedAbove(state));
    if (above) return unreadable(above);
    // A crash between the two files of an enrolment.
    if (marker.kind === 'missing' && state.enrolment === 'done') await this.#mark(state);
    return { kind: 'state', state };
  }

  /** Its caller saves one state at a time. After a rejection nobody knows what the disk holds. */
  async save(state: SignerState): Promise<void> {
    const line = Buffer.from(stateLine(state));
    if (this.#bytes < this.#bytesMax && (await this.#append(line))) return;
    await this.close();
    await writeDurably(this.#state, line.toString(), this.#disk);
    const file = await this.#disk.open(this.#state, 'as+', 0o600);
    this.#file = file;
    this.#id = idOf(await file.stat());
    this.#bytes = line.length;
  }

  /** @returns whether the line stands in the file that the next process will read: somebody may have put another one there */
  async #append(line: Buffer): Promise<boolean> {
    if (!this.#file) return false;
    const gone = { dev: -1, ino: -1, size: -1 };
    // What takes longer goes first.
    const appending = this.#file.appendFile(line);
    const [there] = await Promise.all([this.#disk.stat(this.#state).catch(() => gone), appending]);
    const before = this.#bytes;
    this.#bytes += line.length;
    return idOf(there) === this.#id && [before, this.#bytes].includes(there.size);
  }

  /**
   * A journal's line is written after its state's. So where a crash tore the next state, the journal has no position above the last
   * whole one; where it has, the file is a copy that was cut short, and may lack a bar, too.
   */
  async #releasedAbove({ chainId, seen }: SignerState): Promise<string | undefined> {
    const newest = (await newestEntries(this.dir, this.#disk)).filter((entry) => entry.chainId === chainId);
    const above = newest.map(positionOf).findLast((position) => comparePositions(position, seen) > 0);
    if (!above) return undefined;
    return `it is cut short: its last whole line is at ${showPosition(seen)}, and the journal beside it has ${showPosition(above)}`;
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }

  /** The first save of an enrolment: makes the folder. */
  async create(state: SignerState): Promise<void> {
    await this.#disk.mkdir(this.dir, { recursive: true, mode: 0o700 });
    await this.save(state);
    if (state.enrolment === 'done') await this.#mark(state);
    await this.close();
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
