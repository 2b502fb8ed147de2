/**
 * One signer a state folder, held by two sockets. An abstract socket named by the folder's device and inode (Linux): the
 * kernel gives it to one process of a network namespace, and takes it back when that one dies. And a socket file in the
 * folder, which reaches across namespaces, so two containers on one volume meet in it; a stale one is told by
 * nobody listening.
 */

import { closeSync, mkdirSync, openSync, rmSync, statSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';

export class StateInUseError extends Error {
  override readonly name = 'StateInUseError';
}

/** @returns gives the folder back; again, it does nothing. @throws StateInUseError */
export async function lockState(dir: string): Promise<() => void> {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const { dev, ino } = statSync(dir);
  const linux = process.platform === 'linux';
  // A socket's path has 107 bytes at most, so it is named through the open folder.
  const folder = openSync(dir, 'r');
  const file = linux ? `/proc/self/fd/${folder}/lock.sock` : join(dir, 'lock.sock');
  const held: Server[] = [];
  let isOpen = true;
  const release = () => {
    // By then the descriptor may be another file's.
    if (!isOpen) return;
    isOpen = false;
    for (const server of held) server.close();
    closeSync(folder);
  };
  try {
    if (linux) held.push(await listen(`\0beam-signer/${dev}/${ino}`));
    if (!(await isAnswered(file))) rmSync(join(dir, 'lock.sock'), { force: true });
    held.push(await listen(file));
  } catch (error) {
    release();
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    throw new StateInUseError(
      `another signer process uses ${dir}: two on one state could sign twice; stop that one, or give this one its own home`,
    );
  }
  return release;
}

function listen(name: string): Promise<Server> {
  const server = createServer((socket) => socket.destroy());
  server.unref();
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(name, () => resolve(server));
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
