/** The work of `beam signer doctor`. */

import { resolve } from 'node:path';
import { examine } from '../signer/doctor/doctor.ts';
import { type Finding, type Level, worst } from '../signer/doctor/finding.ts';
import { tell } from './command-line.ts';
import { exitCodes } from './errors.ts';
import type { DoctorOptions } from './options.ts';
import { homeOf } from './run-server.ts';

const exitOf: Record<Level, number> = {
  well: 0,
  unknown: exitCodes.attention,
  warning: exitCodes.attention,
  critical: exitCodes.failed,
};

export async function runDoctor(options: DoctorOptions): Promise<number> {
  const findings = await examine({
    home: homeOf(options),
    look: (options.look ?? []).map((folder) => resolve(folder)),
  });
  const level = worst(findings);
  tell(options, { level, findings }, () => findings.map(describe).join('\n'));
  return exitOf[level];
}

function describe({ check, level, text, remedy }: Finding): string {
  const mark = level === 'well' ? 'ok' : level.toUpperCase();
  const lines = [`${check.padEnd(11)} ${mark.padEnd(8)} ${text}`];
  if (remedy) lines.push(`${' '.repeat(21)}→ ${remedy}`);
  return lines.join('\n');
}
