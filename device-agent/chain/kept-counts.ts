/** What was counted of our validator's signatures, kept for the next pilot: `state/signing.json`. */

import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import * as z from 'zod';
import type { ChainView } from './chain-view.ts';

const keptCounts = z.object({
  chainId: z.string(),
  countedTo: z.number().int().nonnegative(),
  missedTotal: z.number().int().nonnegative(),
  lastSignedHeight: z.number().int().nonnegative().optional(),
});
export type KeptCounts = z.infer<typeof keptCounts>;

export async function loadCounts(file: string): Promise<KeptCounts | undefined> {
  return readFile(file, 'utf8')
    .then((text) => keptCounts.parse(JSON.parse(text)))
    .catch(() => undefined);
}

/** Not fsynced: lost, it is counted again from where it was. */
export async function saveCounts(file: string, chainId: string, view: ChainView): Promise<void> {
  const { countedTo, missedTotal, lastSignedHeight } = view;
  const counts: KeptCounts = {
    chainId,
    countedTo,
    missedTotal,
    ...(lastSignedHeight === undefined ? {} : { lastSignedHeight }),
  };
  await mkdir(dirname(file), { recursive: true });
  await writeFile(`${file}.tmp`, JSON.stringify(counts));
  await rename(`${file}.tmp`, file);
}
