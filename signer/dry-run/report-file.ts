/** `report.json` in the dry-run's folder. */

import { readFileSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError } from '../../protocol/config.ts';
import { type DryRunReport, dryRunReport } from './report.ts';

export function reportFile(dryRunDir: string): string {
  return join(dryRunDir, 'report.json');
}

/** @returns undefined where there is none. @throws ConfigError where it can't be read */
export function readReport(dryRunDir: string): DryRunReport | undefined {
  const file = reportFile(dryRunDir);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new ConfigError(file, [`can't be read: ${(error as Error).message}`], { cause: error });
  }
  try {
    return dryRunReport.parse(JSON.parse(text));
  } catch (error) {
    throw new ConfigError(file, ["is no dry-run's report; move it away, and the counts begin anew"], {
      cause: error,
    });
  }
}

/** Whole or not at all. Not fsynced: it guards nothing. */
export async function writeReport(dryRunDir: string, report: DryRunReport): Promise<void> {
  await mkdir(dryRunDir, { recursive: true, mode: 0o700 });
  const file = reportFile(dryRunDir);
  await writeFile(`${file}.tmp`, `${JSON.stringify(report)}\n`, { mode: 0o600 });
  await rename(`${file}.tmp`, file);
}
