/**
 * A running cloud's door for `beam cloud check` and `backup`: HTTP on a unix socket in the data folder, for whoever may read the folder
 * anyway. A stopped cloud leaves nobody listening there.
 */

import { closeSync, openSync, rmSync } from 'node:fs';
import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { DiskSnapshot } from '../store/disk.ts';
import { formatVersion } from '../store/folder.ts';
import { writeBackup } from './backup.ts';
import { type CheckReport, entryOf, FolderCheck } from './check.ts';
import { filesOf } from './files.ts';
import { findingsOf, storeFaults } from './store-faults.ts';

const socketName = 'admin.sock';
/** Its snapshots keep what was replaced on disk, so a reader that sleeps is cut. */
const requestMsMax = 30 * 60_000;

/** A socket's path has 107 bytes at most, so on Linux it is named through the open folder. */
function withSocketPath<T>(dataDir: string, use: (path: string) => Promise<T>): Promise<T> {
  if (process.platform !== 'linux') return use(join(dataDir, socketName));
  const folder = openSync(dataDir, 'r');
  return use(`/proc/self/fd/${folder}/${socketName}`).finally(() => closeSync(folder));
}

export interface AdminOptions {
  dataDir: string;
  /** @throws while the disk refuses writes */
  snapshot(): Promise<DiskSnapshot>;
  /** Faults beside the store: credentials. */
  checkFiles(): { place: string; what: string }[];
  log: Logger;
}

export async function startAdmin(options: AdminOptions): Promise<{ close(): Promise<void> }> {
  const { dataDir, log } = options;
  const server = createServer((request, response) => {
    serve(options, request, response).catch((error: unknown) => {
      log.error({ err: error, act: request.url }, 'a check or a backup failed');
      if (response.headersSent) response.destroy();
      else response.writeHead(500).end(error instanceof Error ? error.message : String(error));
    });
  });
  rmSync(join(dataDir, socketName), { force: true });
  await withSocketPath(dataDir, (path) => listen(server, path));
  server.unref();
  return {
    async close() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      rmSync(join(dataDir, socketName), { force: true });
    },
  };
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => resolve());
  });
}

async function serve(
  options: AdminOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { dataDir, snapshot, checkFiles } = options;
  const act = request.method === 'POST' ? request.url : undefined;
  if (act !== '/check' && act !== '/backup') {
    response.writeHead(404).end();
    return;
  }
  const taken = await snapshot();
  try {
    if (act === '/check') {
      const beside = [...findingsOf(await storeFaults(dataDir, true)), ...checkFiles()];
      const report = await checkSnapshot(taken, beside);
      response.writeHead(200).end(JSON.stringify(report));
      return;
    }
    const header = { format: formatVersion, at: new Date().toISOString() };
    const signal = AbortSignal.timeout(requestMsMax);
    await writeBackup(taken, filesOf(dataDir), header, response, signal);
  } finally {
    await taken.end();
  }
}

export async function checkSnapshot(
  snapshot: DiskSnapshot,
  findings: readonly { place: string; what: string }[],
): Promise<CheckReport> {
  const check = new FolderCheck();
  let entries = 0;
  for await (const [key, value] of snapshot.entries()) {
    const entry = entryOf(key, value);
    if (entry) check.add(entry);
    // The cloud serves its clients meanwhile.
    if (++entries % 200 === 0) await new Promise(setImmediate);
  }
  for (const { place, what } of findings) check.note(place, what);
  return check.finish();
}

/** @returns the answer of the cloud that runs on this folder; undefined where none does */
export async function askRunning(
  dataDir: string,
  act: 'check' | 'backup',
): Promise<IncomingMessage | undefined> {
  return withSocketPath(
    dataDir,
    (socketPath) =>
      new Promise((resolve, reject) => {
        const asked = httpRequest({ socketPath, path: `/${act}`, method: 'POST' }, resolve);
        asked.once('error', (error: NodeJS.ErrnoException) =>
          ['ENOENT', 'ECONNREFUSED'].includes(error.code ?? '') ? resolve(undefined) : reject(error),
        );
        asked.end();
      }),
  );
}
