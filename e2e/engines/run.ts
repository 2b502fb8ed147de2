/** What the parts of `npm run test:ministack` are run with, and what they come to. */

import type { Skipped } from './skipped.ts';

export interface EngineRun {
  /** The engine's own, absolute. */
  folder: string;
  /** The venv's programs. */
  bin: string;
  /** Beam's. */
  bundles: string;
  /** PEM files of a server on localhost, and of its authority. */
  tls: { certificate: string; key: string; ca: string };
  say(line: string): void;
  signal: AbortSignal;
  /** Does it, and says how it came out and how long it took. @throws what it throws: what comes after builds on it */
  step(name: string, does: () => Promise<string>): Promise<void>;
}

export interface EngineReport {
  version: string;
  /** Names of what was done and held. */
  passed: string[];
  failed: { name: string; reason: string } | null;
  skipped: readonly Skipped[];
}
