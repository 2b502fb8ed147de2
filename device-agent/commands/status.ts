/** `beam status`: what the pilot on this machine says of itself. */

import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import * as z from 'zod';
import { homePaths } from '../../protocol/config.ts';
import { type PilotStatus, pilotStatus } from '../status/pilot-status.ts';

export type { PilotStatus };

const timeoutMs = 3_000;

const statusFile = z.object({ pid: z.number().int(), address: z.url().optional() });

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
