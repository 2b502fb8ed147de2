/** `beam status`: what the pilot on this machine says of itself. */

import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import * as z from 'zod';
import { homePaths } from '../../protocol/config.ts';
import { reportedGaiad, reportedRoleState } from '../../protocol/shadows.ts';
import { signerStatus } from '../../protocol/signer-control.ts';

const timeoutMs = 3_000;

const statusFile = z.object({ pid: z.number().int(), address: z.url().optional() });

export const pilotStatus = z.object({
  thing: z.string(),
  fleet: z.string(),
  node: z.string(),
  kind: z.string(),
  version: z.string(),
  pid: z.number().int(),
  cloud: z.union([
    z.object({ connected: z.boolean(), queued: z.number().int(), reason: z.string().nullable() }),
    z.string(),
  ]),
  role: reportedRoleState,
  gaiad: reportedGaiad.extend({
    pid: z.number().int().nullable(),
    waitsFor: z.string().nullable(),
    height: z.number().int(),
    catchingUp: z.boolean().nullable(),
    peers: z.number().int().nullable(),
    blockSeconds: z.number().nullable(),
  }),
  signing: z.object({ missedTotal: z.number().int(), lastSignedHeight: z.number().int().nullable() }),
  signer: z.object({ up: z.boolean(), status: signerStatus.nullable() }).nullable(),
  troubles: z.array(z.object({ kind: z.string(), severity: z.string(), text: z.string() })),
});
export type PilotStatus = z.infer<typeof pilotStatus>;

/** Raised where no pilot answers on this machine for this home. */
export class NoPilotError extends Error {
  override readonly name = 'NoPilotError';
}

/** @throws NoPilotError */
export async function readPilotStatus(home: string): Promise<PilotStatus> {
  const root = resolve(home);
  const file = join(root, homePaths.statusFile);
  const remedy = `start it with \`beam start --home ${root}\``;
  const text = await readFile(file, 'utf8').catch((error) => {
    throw new NoPilotError(`no pilot runs on ${root} (${file} is not there): ${remedy}`, { cause: error });
  });
  const { address, pid } = statusFile.parse(JSON.parse(text));
  if (address === undefined) {
    throw new NoPilotError(
      `the pilot (pid ${pid}) could not open its status agent: set another [status] port in ${join(root, homePaths.config)}, 0 for a free one`,
    );
  }
  try {
    const answer = await fetch(`${address}/status`, { signal: AbortSignal.timeout(timeoutMs) });
    return pilotStatus.parse(await answer.json());
  } catch (error) {
    throw new NoPilotError(`the pilot (pid ${pid}) does not answer at ${address}: ${remedy}`, {
      cause: error,
    });
  }
}
