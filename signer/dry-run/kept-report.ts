/** The report of a dry-run as it grows, and on disk: one that was kept is gone on with. */

import { ConfigError } from '../../protocol/config.ts';
import type { Clock } from '../core/ports.ts';
import type { SignerHome } from '../home.ts';
import { dryRunRecordKey } from './record.ts';
import { type DryRunReport, newReport } from './report.ts';
import { readReport, writeReport } from './report-file.ts';

type KeptClock = Pick<Clock, 'now' | 'wall'>;

export class KeptReport {
  readonly #folder: string;
  readonly #clock: KeptClock;
  #report: DryRunReport;
  /** Until when `ranSeconds` has counted, monotonic ms. */
  #countedMs: number;

  /** @throws ConfigError where the one that is kept can't be gone on with */
  constructor(home: SignerHome, clock: KeptClock) {
    this.#folder = home.dryRunDir;
    this.#clock = clock;
    this.#report = keptOrNew(home, this.nowText());
    this.#countedMs = clock.now();
  }

  get current(): DryRunReport {
    return this.#report;
  }

  change(to: (report: DryRunReport) => DryRunReport): void {
    this.#report = to(this.#report);
  }

  nowText(): string {
    return new Date(this.#clock.wall()).toISOString();
  }

  /** @param blockMs the chain's median block time, where it is known */
  async save(blockMs: number | undefined): Promise<void> {
    const nowMs = this.#clock.now();
    const ranSeconds = this.#report.ranSeconds + (nowMs - this.#countedMs) / 1000;
    this.#countedMs = nowMs;
    this.change((report) => ({
      ...report,
      ranSeconds,
      updatedAt: this.nowText(),
      ...(blockMs === undefined ? {} : { blockSeconds: blockMs / 1000 }),
    }));
    await writeReport(this.#folder, this.#report);
  }
}

function keptOrNew({ thing, chainId, dryRunDir, dynamo }: SignerHome, startedAt: string): DryRunReport {
  const guard = dynamo ? 'record' : 'local';
  const recordKey = dynamo ? dryRunRecordKey(chainId, thing) : '';
  const kept = readReport(dryRunDir);
  if (!kept) return newReport({ thing, chainId, guard, recordKey }, startedAt);
  if (kept.thing === thing && kept.chainId === chainId && kept.guard === guard) return kept;
  throw new ConfigError(dryRunDir, [
    `the report kept there is of ${kept.thing} on ${kept.chainId} (guard ${kept.guard}); move the folder away, and the dry-run begins anew`,
  ]);
}
