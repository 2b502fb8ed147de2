/** The machine's load, for health messages. */

import { statfs } from 'node:fs/promises';
import { freemem, loadavg } from 'node:os';
import type { HealthMessage } from '../../protocol/topics.ts';

/** @param folder whose disk matters: the chain's data. */
export async function machineLoad(folder: string): Promise<NonNullable<HealthMessage['load']>> {
  const disk = await statfs(folder).catch(() => undefined);
  return {
    load1: loadavg()[0] ?? 0,
    memoryFreeBytes: freemem(),
    ...(disk ? { diskFreeBytes: disk.bavail * disk.bsize } : {}),
    pilotResidentBytes: process.memoryUsage.rss(),
  };
}
