/** TCP ports on 127.0.0.1. */

import { randomInt } from 'node:crypto';
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

/**
 * Below the range from which the system takes ports for outgoing connections (32768 on, by Linux's default): a port
 * that is free now would else be an outgoing connection's by the time that its server starts.
 */
const portMin = 12_000;
const portMax = 32_000;
const triesMax = 400;

/** Of this process: who asked for one may not listen on it yet when the next asks. */
const given = new Set<number>();
const givenMax = (portMax - portMin) / 2;

/** @returns ports that nothing listens on now, all different, and others than those of the calls before. */
export async function freePorts(count: number): Promise<number[]> {
  // All are held open until the last is found, so that none is given twice.
  const held = new Map<number, Server>();
  try {
    for (let tries = 0; held.size < count; tries++) {
      if (tries === triesMax) {
        throw new Error(`no ${count} free ports between ${portMin} and ${portMax}; end what listens there`);
      }
      const port = randomInt(portMin, portMax);
      if (given.has(port)) continue;
      const server = held.has(port) ? undefined : await listen(port).catch(() => undefined);
      if (server) held.set(port, server);
    }
    if (given.size > givenMax) given.clear();
    for (const port of held.keys()) given.add(port);
    return [...held.keys()];
  } finally {
    await Promise.all([...held.values()].map(close));
  }
}

export async function portIsFree(port: number): Promise<boolean> {
  try {
    await close(await listen(port));
    return true;
  } catch {
    return false;
  }
}
