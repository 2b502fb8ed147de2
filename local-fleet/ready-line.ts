/** The line that the local cloud prints when it is ready, and how one waits for it. */

import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import * as z from 'zod';

export const readyLine = z.object({
  ready: z.literal(true),
  /** host:port */
  mqtt: z.string(),
  https: z.url(),
  /** The same without TLS, where it is served. */
  http: z.url().optional(),
  /** Unix socket of the same, absolute, where it is served. */
  socket: z.string().optional(),
  /** host:port */
  credentialProvider: z.string().optional(),
  /** PEM file. */
  ca: z.string(),
  region: z.string(),
  accessKeyId: z.string(),
  secretAccessKey: z.string(),
});
export type ReadyLine = z.infer<typeof readyLine>;

const pollMs = 30;

/** @returns undefined where no line of the file is one. */
export function findReadyLine(text: string): ReadyLine | undefined {
  for (const line of text.split('\n')) {
    if (!line.startsWith('{')) continue;
    try {
      const parsed = readyLine.safeParse(JSON.parse(line));
      if (parsed.success) return parsed.data;
    } catch {
      // Cut off, or another program's words.
    }
  }
  return undefined;
}

/**
 * @param file what the cloud writes its stdout to
 * @param ended says why it can't come any more, or undefined
 */
export async function waitForReadyLine(
  file: string,
  ended: () => string | undefined,
  signal: AbortSignal,
): Promise<ReadyLine> {
  for (;;) {
    const found = findReadyLine(await readFile(file, 'utf8').catch(() => ''));
    if (found) return found;
    const reason = ended();
    if (reason !== undefined) throw new Error(reason);
    await delay(pollMs, undefined, { signal });
  }
}
