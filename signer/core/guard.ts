/** What stands between a request and the key. */

import type { SignerStatus } from '../../protocol/signer-control.ts';
import { Refusal } from '../refusal.ts';
import type { Signed } from './release.ts';
import type { SignRequest } from './request.ts';

export type GuardStatus = Pick<
  SignerStatus,
  | 'state'
  | 'epoch'
  | 'height'
  | 'reason'
  | 'code'
  | 'recordKey'
  | 'recordId'
  | 'guard'
  | 'record'
  | 'beat'
  | 'released'
>;

export interface Guard {
  start(): Promise<void>;
  /** Waits for what is under way. */
  stop(): Promise<void>;
  /**
   * Resolves once everything that must be written before the signature leaves is written.
   * @param deadlineMs by the guard's clock
   * @throws Refusal
   */
  sign(request: SignRequest, deadlineMs: number): Promise<Signed>;
  status(): GuardStatus;
  /** The node's connection opened or closed. */
  connectionChanged(): void;
  /** The node committed this height: its pilot told so at once, or its next request shows it some time later. */
  committed(height: number, source: 'pilot' | 'request'): void;
  /** Look at the record now. */
  look(): void;
  /** `fenced` was seen. */
  standBy(): void;
}

/** Refuses all: the signer is not enrolled, or can't trust what it is enrolled to. */
export class ClosedGuard implements Guard {
  readonly #refusal: Refusal;
  readonly #status: GuardStatus;

  constructor(refusal: Refusal, status: Omit<GuardStatus, 'state' | 'reason' | 'code'>) {
    this.#refusal = refusal;
    const state = refusal.code === 'not-enrolled' ? 'unenrolled' : 'refusing';
    // A longer one than the status admits would leave pilot and `beam signer status` without any.
    this.#status = { ...status, state, reason: refusal.message.slice(0, 300), code: refusal.code };
  }

  async start(): Promise<void> {}
  async stop(): Promise<void> {}
  async sign({ position: asked }: SignRequest): Promise<never> {
    throw new Refusal(this.#refusal.code, this.#refusal.message, { asked });
  }
  status(): GuardStatus {
    return this.#status;
  }
  connectionChanged(): void {}
  committed(): void {}
  look(): void {}
  standBy(): void {}
}
