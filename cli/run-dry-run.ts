/** The work of `beam signer dry-run`. */

import { percentileMs } from '../signer/dry-run/histogram.ts';
import { type DryRunReport, type Particular, problemsOf } from '../signer/dry-run/report.ts';
import { readReport } from '../signer/dry-run/report-file.ts';
import { readHome } from '../signer/home.ts';
import { badInput, tell } from './command-line.ts';
import { CliError, exitCodes } from './errors.ts';
import type { DryRunOptions } from './options.ts';
import { homeOf } from './run-server.ts';
import { runSigner } from './run-signer.ts';

export async function dryRun(options: DryRunOptions): Promise<number> {
  const home = homeOf(options);
  const { mode, dryRunDir } = readHome(home);
  if (!options.report) {
    if (mode !== 'dry-run') {
      badInput(
        `${home} is in mode "${mode}": set mode = "dry-run" in its config.toml first; what an earlier dry-run found shows with --report`,
      );
    }
    return runSigner(options);
  }
  const report = readReport(dryRunDir);
  if (!report) {
    throw new CliError(
      `there is no report in ${dryRunDir} yet: set mode = "dry-run" in config.toml and start the signer (beam signer start --home ${home})`,
      exitCodes.failed,
    );
  }
  const problems = problemsOf(report);
  const clean = problems.length === 0;
  tell(options, { clean, problems, ...latencies(report), ...report }, () => describe(report, problems));
  return clean ? 0 : exitCodes.failed;
}

/** ms within which so many of 100 were. */
function latencies({ recordWriteMs, signMs }: DryRunReport) {
  const of = (histogram: readonly number[]) => ({
    p50: percentileMs(histogram, 0.5) ?? null,
    p99: percentileMs(histogram, 0.99) ?? null,
  });
  return { recordWriteWithinMs: of(recordWriteMs), signWithinMs: of(signMs) };
}

const particularsShown = 20;

function describe(report: DryRunReport, problems: readonly string[]): string {
  const { commits, asks, seen, wouldSign, wouldRefuse } = report;
  const kinds = (counts: Record<string, number>) =>
    Object.entries(counts)
      .map(([kind, times]) => `${times} ${kind}${times === 1 ? '' : 's'}`)
      .join(', ');
  const { recordWriteWithinMs, signWithinMs } = latencies(report);
  const within = ({ p50, p99 }: { p50: number | null; p99: number | null }) =>
    p50 === null ? 'none yet' : `half within ${p50} ms, 99 of 100 within ${p99} ms`;
  const refused = Object.entries(wouldRefuse).map(([code, times]) => `${times} × ${code}`);
  const rows: [string, string][] = [
    ['server', `${report.thing} on ${report.chainId}, validator ${report.address || 'not known yet'}`],
    [
      'period',
      `${report.beganAt} to ${report.updatedAt}, ${duration(report.ranSeconds)} of it running; ${report.starts} starts`,
    ],
    ['seen', `${kinds(seen)} of the present signer`],
    ['signed', `Beam would have signed ${kinds(wouldSign)}`],
    ['refused', `Beam would have refused ${refused.join(', ') || 'nothing'}`],
    [
      'record',
      report.guard === 'record' ? `writes: ${within(recordWriteWithinMs)}` : 'none: the local guard',
    ],
    ['signature', `in all: ${within(signWithinMs)}`],
    [
      'chain',
      `${commits.compared} commits compared: ${commits.agreed} agree, ${commits.refused} would have been refused, ` +
        `${commits.otherBlock} for another block, ${commits.unseen} not seen beforehand`,
    ],
    ['missed', `by the present signer: ${commits.missed} not signed, ${commits.late} signed too late`],
    [
      'detection',
      `a standby would have asked for the role ${asks['beat-still'] + asks.yielded + asks['commits-missed']} times ` +
        `(beat still ${asks['beat-still']}, node gone ${asks.yielded}, commits missed ${asks['commits-missed']}), ${asks.needless} of them needlessly`,
    ],
  ];
  const verdict =
    problems.length === 0
      ? ['clean: nothing found that stands against trusting Beam with the key']
      : ['not clean:', ...problems.map((problem) => `- ${problem}`)];
  const last = report.recent.slice(-particularsShown).map(particular);
  return [
    ...rows.map(([name, text]) => `${name.padEnd(10)} ${text}`),
    '',
    ...verdict,
    ...(last.length > 0 ? ['', `the last ${last.length}:`, ...last] : []),
  ].join('\n');
}

function particular({ at, height, round, kind, what, detail }: Particular): string {
  return `  ${at}  ${height}/${round} ${kind.padEnd(9)}  ${what}${detail ? `: ${detail}` : ''}`;
}

function duration(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${(seconds / 3600).toFixed(1)} h` : `${(seconds / 86_400).toFixed(1)} days`;
}
