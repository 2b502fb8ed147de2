/** The machine under the signer: who may read its files, and what its disk does. */

import { randomBytes } from 'node:crypto';
import { statSync } from 'node:fs';
import { open, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { type Finding, percentile, spread } from './finding.ts';

const syncs = 40;
/** One a signature: with the table's write it stays well within a vote's time. */
const syncMsWarn = 50;
const syncMsCritical = 500;
const freeBytesWarn = 1024 ** 3;
const freeBytesCritical = 64 * 1024 ** 2;

/** @param keyFile undefined: the key is in no file */
export function permissionFindings(
  keyFile: string | undefined,
  stateDir: string,
  uid: number | undefined,
): Finding[] {
  const findings = [
    ...(keyFile === undefined ? [] : modeFindings(keyFile, 0o600)),
    ...modeFindings(stateDir, 0o700),
  ];
  for (const path of [keyFile, stateDir]) {
    const owner = path === undefined ? undefined : statSync(path, { throwIfNoEntry: false })?.uid;
    if (owner === undefined || uid === undefined || owner === uid) continue;
    findings.push({
      check: 'permissions',
      level: 'warning',
      text: `${path} belongs to user ${owner}, and this is user ${uid}`,
      remedy: `run the doctor as the signer's user; if that is ${uid}, chown ${path}`,
    });
  }
  if (findings.length > 0) return findings;
  return [{ check: 'permissions', level: 'well', text: 'key and state are their owner’s alone' }];
}

function modeFindings(path: string, wanted: number): Finding[] {
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found) return [];
  const mode = found.mode & 0o777;
  if ((mode & 0o077) === 0) return [];
  return [
    {
      check: 'permissions',
      level: wanted === 0o600 || mode & 0o022 ? 'critical' : 'warning',
      text: `${path} has mode ${mode.toString(8)}: others than its owner have access`,
      remedy: `chmod ${wanted.toString(8)} ${path}`,
    },
  ];
}

export async function diskFindings(stateDir: string): Promise<Finding[]> {
  try {
    const { bavail, bsize } = await statfs(stateDir);
    const free = bavail * bsize;
    const latencies = await syncLatencies(stateDir);
    const p99 = percentile(latencies, 0.99);
    return [
      {
        check: 'disk',
        level: free < freeBytesCritical ? 'critical' : free < freeBytesWarn ? 'warning' : 'well',
        text: `${Math.round(free / 1024 ** 2)} MB free for ${stateDir}`,
        ...(free < freeBytesWarn
          ? { remedy: 'make room: a state that can’t be written ends the signer' }
          : {}),
      },
      {
        check: 'disk',
        level: p99 > syncMsCritical ? 'critical' : p99 > syncMsWarn ? 'warning' : 'well',
        text: `a durable write of the state takes ${spread(latencies)}`,
        ...(p99 > syncMsWarn
          ? {
              remedy:
                'keep the state off the chain data’s disk, on one with a write cache that survives power loss',
            }
          : {}),
      },
    ];
  } catch (error) {
    return [
      {
        check: 'disk',
        level: 'critical',
        text: `${stateDir} can't be written (${(error as Error).message})`,
        remedy: 'the signer needs it; make it with beam signer enrol, or mend the disk',
      },
    ];
  }
}

/** As a signature's state is written: appended by a write that returns once it is on disk. Never touches the state itself. */
async function syncLatencies(folder: string): Promise<number[]> {
  const path = join(folder, `doctor-${process.pid}`);
  const bytes = randomBytes(1500);
  const latencies: number[] = [];
  const file = await open(path, 'as', 0o600);
  try {
    for (let count = 0; count < syncs; count++) {
      const beganMs = performance.now();
      await file.appendFile(bytes);
      latencies.push(performance.now() - beganMs);
    }
    return latencies;
  } finally {
    await Promise.all([file.close(), rm(path, { force: true })]);
  }
}
