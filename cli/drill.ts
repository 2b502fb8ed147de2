/** `beam drill`. */

import { resolve } from 'node:path';
import type { DrillReport } from '../local-fleet/drill/judge.ts';
import { runDrill } from '../local-fleet/drill/run-drill.ts';
import { chainOption } from './chain-option.ts';
import { badInput, say, tell } from './command-line.ts';
import { describeError, exitCodes } from './errors.ts';
import { onInterrupt } from './interrupt.ts';
import type { DrillOptions } from './options.ts';
import { wholeBundles } from './whole-bundles.ts';

export async function drill(options: DrillOptions): Promise<number> {
  if (!options.local) {
    badInput(
      'a drill needs --local: it brings up a fleet of its own on this machine and leaves live ones alone',
    );
  }
  const { fault, times, blockSeconds } = options;
  let killNow = () => {};
  const interrupt = onInterrupt(() => killNow());
  const { report, failure } = await runDrill({
    fault,
    times,
    blockSeconds,
    chain: chainOption(options.chain),
    out: options.out === undefined ? undefined : resolve(options.out),
    bundles: wholeBundles(),
    say,
    signal: interrupt.signal,
    onFleet: (fleet) => {
      killNow = () => fleet.killNow();
    },
  });
  if (interrupt.signal.aborted) {
    say('beam: the drill was interrupted; its fleet is gone');
    return exitCodes.interrupted;
  }
  if (failure !== undefined) {
    say(`beam: the drill came to no proper end: ${describeError(failure)}`);
    if (options.verbose && failure instanceof Error) say(failure.stack ?? '');
  }
  tell(options, report, () => describe(report));
  return report.ok && failure === undefined ? 0 : exitCodes.failed;
}

function describe(report: DrillReport): string {
  const { fault, ok, missedBlocks, secondsWithoutSignature, epochBefore, epochAfter, conflicts } = report;
  return (
    `${ok ? 'ok' : 'NOT ok'}: fault ${fault}, ${missedBlocks ?? '-'} missed, ` +
    `${secondsWithoutSignature ?? '-'} s without a signature, epoch ${epochBefore ?? '-'} → ${epochAfter ?? '-'}, ` +
    `${conflicts ?? '-'} conflicts, blocks of ${report.blockSeconds ?? '-'} s`
  );
}
