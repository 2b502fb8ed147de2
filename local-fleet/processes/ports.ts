/** TCP ports on 127.0.0.1. */

import { once } from 'node:events';
import { createServer, type Server } from 'node:net';

async function listen(port: number): Promise<Server> {
  const server = createServer();
  server.listen({ port, host: '127.0.0.1', exclusive: true });
  await once(server, 'listening');
  return server;
}

async function close(server: Server): Promise<void> {
  server.close();
  await once(server, 'close');
}

/** @returns ports that nothing listens on now, all different. */
export async function freePorts(count: number): Promise<number[]> {
  // All are held open until the last is found, so that none is given twice.
  const servers = await Promise.all(Array.from({ length: count }, () => listen(0)));
  const ports = servers.map((server) => {
    const address = server.address();
    return typeof address === 'object' && address ? address.port : 0;
  });
  await Promise.all(servers.map(close));
  return ports;
}

export async function portIsFree(port: number): Promise<boolean> {
  try {
    await close(await listen(port));
    return true;
  } catch {
    return false;
  }
}
