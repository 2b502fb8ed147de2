/**
 * The least that a server of Node's can do which keeps its word: an HTTP request is read, one sector is on disk, the same few bytes are
 * answered, with TLS or without. It checks no signature, knows no shadow, and forgets what it wrote.
 */

import { fork } from 'node:child_process';
import { constants, openSync, readFileSync, writeSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { PeerOptions } from '../../e2e/engines/peers.ts';
import { endProcess } from './cloud.ts';
import type { Place } from './raw-http.ts';

export const floorMark = '--floor-server';

const fileBytes = 4 * 1024 * 1024;
const sector = Buffer.alloc(512, 1);

/** In a process of its own. @param args what `startFloorServer` gave it: a file that is made, then certificate and key */
export function runFloorServer([file = '', certificate, key]: string[]): void {
  const { O_CREAT, O_RDWR, O_DSYNC } = constants;
  const fd = openSync(file, O_CREAT | O_RDWR | O_DSYNC);
  writeSync(fd, Buffer.alloc(fileBytes));
  let at = 0;
  const answer = (request: IncomingMessage, response: ServerResponse) => {
    request.resume();
    request.on('end', () => {
      writeSync(fd, sector, 0, sector.length, at);
      at = (at + sector.length) % fileBytes;
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': 2 });
      response.end('{}');
    });
  };
  const alive = { noDelay: true, keepAliveTimeout: 0 };
  const server =
    certificate === undefined || key === undefined
      ? createServer(alive, answer)
      : createTlsServer({ ...alive, cert: readFileSync(certificate), key: readFileSync(key) }, answer);
  process.on('disconnect', () => process.exit());
  server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
}

/** @param script what is run again, with `floorMark` */
export async function startFloorServer(script: string, folder: string, tls: PeerOptions['tls']) {
  const child = fork(script, [floorMark, join(folder, 'floor'), ...(tls ? [tls.certificate, tls.key] : [])]);
  const port = await new Promise<number>((resolve, reject) => {
    child.once('message', (message) => resolve(Number(message)));
    child.once('exit', (code) => reject(new Error(`the floor's server ended with ${code}`)));
  });
  const place: Place = {
    host: '127.0.0.1',
    port,
    credentials: { accessKeyId: 'none', secretAccessKey: 'none' },
    ...(tls && { ca: readFileSync(tls.ca, 'utf8') }),
  };
  return { place, pid: child.pid, stop: () => endProcess(child) };
}
