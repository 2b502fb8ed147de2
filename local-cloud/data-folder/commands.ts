/** What `beam cloud check`, `backup` and `restore` do, on a cloud that runs or one that is stopped. */

import { closeSync, createWriteStream, existsSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { dirname, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { StoreError } from '../store/disk.ts';
import { formatVersion, openFolder } from '../store/folder.ts';
import { syncFolder } from '../store/whole-file.ts';
import { credentialFaults } from '../tls/credentials.ts';
import { askRunning, checkSnapshot } from './admin.ts';
import { writeBackup } from './backup.ts';
import type { CheckReport } from './check.ts';
import { filesOf } from './files.ts';
import { findingsOf, storeFaults } from './store-faults.ts';

async function textOf(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

const notOpened = {
  place: 'store',
  what: 'it was not opened and its records were not read, for that drops what is damaged: copy the folder first, or take a backup',
};

/** @throws StoreError */
export async function checkFolder(dataDir: string): Promise<CheckReport & { running: boolean }> {
  if (!existsSync(dataDir)) throw new StoreError(`There is no folder ${dataDir}.`);
  const answer = await askRunning(dataDir, 'check');
  if (answer) {
    const text = await textOf(answer);
    if (answer.statusCode !== 200) throw new StoreError(`The running cloud could not check itself: ${text}`);
    return { ...(JSON.parse(text) as CheckReport), running: true };
  }
  const damaged = await storeFaults(dataDir, false);
  if (damaged.some(({ isInLog }) => isInLog)) {
    damaged.push({ ...notOpened, isInLog: false });
    return { ok: false, read: {}, findings: findingsOf(damaged), findingsLeftOut: 0, running: false };
  }
  const disk = await openFolder(dataDir, { asItIs: true });
  try {
    const beside = [...findingsOf(damaged), ...credentialFaults(dataDir)];
    return { ...(await checkSnapshot(await disk.snapshot(), beside)), running: false };
  } finally {
    await disk.close();
  }
}

/** @throws StoreError; the file is there only when it is whole and on disk */
export async function backupFolder(dataDir: string, file: string): Promise<{ running: boolean }> {
  if (!existsSync(dataDir)) throw new StoreError(`There is no folder ${dataDir}.`);
  const target = resolve(file);
  if (existsSync(target)) throw new StoreError(`${target} is there already. Name another file.`);
  if (!existsSync(dirname(target))) {
    throw new StoreError(
      `There is no folder ${dirname(target)} to write it into. Make it, or name another file.`,
    );
  }
  const temporary = `${target}.${process.pid}.tmp`;
  // Secrets are in it: the CA's key, the access key. Opened here: a stream would tell of a failure when nobody listens yet.
  const out = createWriteStream(temporary, { fd: openSync(temporary, 'wx', 0o600) });
  try {
    const answer = await askRunning(dataDir, 'backup');
    if (answer) await receive(answer, out);
    else {
      const disk = await openFolder(dataDir, { asItIs: true });
      try {
        const header = { format: formatVersion, at: new Date().toISOString() };
        await writeBackup(await disk.snapshot(), filesOf(dataDir), header, out);
      } finally {
        await disk.close();
      }
    }
    const written = openSync(temporary, 'r');
    fsyncSync(written);
    closeSync(written);
    renameSync(temporary, target);
    syncFolder(dirname(target));
    return { running: answer !== undefined };
  } catch (error) {
    out.destroy();
    rmSync(temporary, { force: true });
    throw error;
  }
}

async function receive(answer: IncomingMessage, out: NodeJS.WritableStream): Promise<void> {
  if (answer.statusCode !== 200)
    throw new StoreError(`The running cloud could not make a backup: ${await textOf(answer)}`);
  try {
    await pipeline(answer, out);
  } catch (error) {
    throw new StoreError(`The cloud broke off the backup (${String(error)}): its log says why.`, {
      cause: error,
    });
  }
}
