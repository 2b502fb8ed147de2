/** The work of `beam signer export`. */

import { resolve } from 'node:path';
import { showPosition } from '../protocol/sign-position.ts';
import { type ExportPlan, exportKey } from '../signer/export/export.ts';
import { say, tell } from './command-line.ts';
import { onInterrupt } from './interrupt.ts';
import type { ExportOptions } from './options.ts';
import { homeOf } from './run-server.ts';
import { mayAsk, saysYes, tellProgress } from './run-signer.ts';

export async function exportSigner(options: ExportOptions): Promise<number> {
  const { dryRun = false, yes = false } = options;
  mayAsk(options, 'an export');
  const interrupt = onInterrupt(() => {});
  let planned: ExportPlan | undefined;
  try {
    const plan = await exportKey({
      home: homeOf(options),
      out: resolve(options.out),
      tool: options.for,
      stateOnly: options.stateOnly === true,
      ...(options.credentials ? { credentials: resolve(options.credentials) } : {}),
      onProgress: tellProgress,
      confirm: async (plan) => {
        planned = plan;
        if (dryRun) return false;
        if (yes) return true;
        say(describe(plan));
        return await saysYes('Seal it? No server of this fleet ever signs with this key again.');
      },
      signal: interrupt.signal,
    });
    tell(options, { exported: true, ...plan }, () => `sealed and exported:\n${describe(plan)}`);
    return 0;
  } catch (error) {
    if (!dryRun || !planned) throw error;
    const would = planned;
    tell(options, { exported: false, dryRun, ...would }, () => `would seal and export:\n${describe(would)}`);
    return 0;
  } finally {
    interrupt.release();
  }
}

const sealTexts: Record<ExportPlan['seal'], string> = {
  open: 'open: this export seals it',
  ours: 'by this export',
  other: 'BY ANOTHER EXPORT: its tool may sign by now, and two are a double sign',
};

function describe(plan: ExportPlan): string {
  const { guard, thing, chainId, address, table, recordKey, recordId, seal, fromChain, floor, files } = plan;
  return [
    `  key      ${address} on ${chainId}, here as ${thing}`,
    guard === 'local'
      ? '  guard    local: the state of this signer'
      : `  record   ${recordKey} (${recordId}) in ${table}`,
    `  sealed   ${sealTexts[seal]}`,
    `  floor    ${floor ? `${showPosition(floor)}: the other tool signs nothing at or below it` : 'above all that record and machine know'}${fromChain ? ', and above the chain after 10 blocks without our signature' : ''}`,
    ...files.map((file) => `  file     ${file}`),
  ].join('\n');
}
