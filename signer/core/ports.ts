/** Everything outside the signer's core: clock, chance, the record's table, the disk, the node, the key. */

import type { ItemUpdate } from '../../protocol/sign-record.ts';
import type { JournalEntry } from '../../protocol/signer-control.ts';
import type { SignerState } from './state.ts';
import type { Wakeable } from './within.ts';

export interface Clock {
  /** ms, monotonic. */
  now(): number;
  /** ms since the epoch, for people to read. */
  wall(): number;
  /** Ends early, without an error, when the signal aborts. */
  sleep(ms: number, signal?: Wakeable): Promise<void>;
}

export interface Random {
  /** `bytes` random bytes in hex. */
  hex(bytes: number): string;
}

/** `doubt`: nobody knows; a time-out, a broken connection, an answer that is no answer. */
export type ReadOutcome =
  | { kind: 'found'; item: Record<string, unknown> }
  | { kind: 'absent' }
  | { kind: 'doubt'; cause: string };

/** `refused`: the condition did not hold. `doubt`: the update may have been done, or may be yet. */
export type UpdateOutcome =
  | { kind: 'done'; item: Record<string, unknown> }
  | { kind: 'refused' }
  | { kind: 'doubt'; cause: string };

/** The table of sign records. Neither call rejects, and each ends within its time. */
export interface RecordStore {
  /** Always a consistent read. */
  read(key: string, timeoutMs: number): Promise<ReadOutcome>;
  update(update: ItemUpdate, timeoutMs: number): Promise<UpdateOutcome>;
}

/** `lost`: this signer was enrolled, and its state is gone. */
export type StateReading =
  | { kind: 'state'; state: SignerState }
  | { kind: 'none' }
  | { kind: 'lost'; reason: string }
  | { kind: 'unreadable'; reason: string };

export interface StateFile {
  load(): Promise<StateReading>;
  /** Resolves when the whole state is durable. Rejects where that is not certain. */
  save(state: SignerState): Promise<void>;
}

/** What the node beside says of the chain. Undefined and `unknown`: it does not answer, or not that. */
export interface NodeView {
  committedHeight(): Promise<number | undefined>;
  ourSignatureAt(height: number): Promise<'signed' | 'absent' | 'unknown'>;
}

export interface SigningKey {
  /** Ed25519, 32 bytes. */
  readonly publicKey: Uint8Array;
  /** Rejects where there is no signature within the time. A key in this process needs none. */
  sign(bytes: Uint8Array, timeoutMs: number): Promise<Uint8Array>;
}

export interface Journal {
  /** Whether it is among the newest, and durable. */
  has(entry: JournalEntry): Promise<boolean>;
  /** Resolves when the entry is durable. Its caller appends one at a time. */
  append(entry: JournalEntry): Promise<void>;
}

export interface Log {
  debug(details: object, message: string): void;
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
  error(details: object, message: string): void;
}
