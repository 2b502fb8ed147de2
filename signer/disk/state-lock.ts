/**
 * One signer a state folder. On Linux the lock is an abstract socket named by the folder's device and inode: the kernel
 * gives it to one, and takes it back when that one dies, so there is no stale lock to judge. Elsewhere it is a
 * socket file in the folder, and a stale one is told by nobody listening.
 */

import { mkdirSync, rmSync, statSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';

export class StateInUseError extends Error {
  override readonly name = 'StateInUseError';
}

/** @returns gives the folder back. @throws StateInUseError */
export async function lockState(dir: string): Promise<() => void> {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const { dev, ino } = statSync(dir);
  const linux = process.platform === 'linux';
  const name = linux ? `\0beam-signer/${dev}/${ino}` : join(dir, 'lock.sock');
  if (!linux && !(await isAnswered(name))) rmSync(name, { force: true });
  const server = createServer((socket) => socket.destroy());
  try {
    await listen(server, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    throw new StateInUseError(
      `another signer process uses ${dir}: two on one state could sign twice; stop that one, or give this one its own home`,
    );
  }
  server.unref();
  return () => server.close();
}

function listen(server: Server, name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(name, resolve);
  });
}

/** Whether somebody listens on a unix socket. */
export function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
