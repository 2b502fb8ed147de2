/**
 * A fleet's network with a switch at every server: its cloud (MQTT, HTTPS, credentials) and its p2p each go through links of its
 * own. Who dials whom in p2p is known from the system's tables (Linux).
 */

import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import type { Socket } from 'node:net';
import type { FleetServer } from '../nodes/fleet-server.ts';
import { freePorts } from '../processes/ports.ts';
import type { ReadyLine } from '../ready-line.ts';
import { type Cut, Link } from './link.ts';

export type Part = 'cloud' | 'p2p';

/** How a server reaches the cloud, and how other servers reach its p2p. */
export interface Route {
  /** host:port */
  mqtt: string;
  https: string;
  /** None: what goes by it can't be cut. */
  socket: undefined;
  /** host:port */
  credentialProvider: string;
  p2pPort: number;
}

const open: Cut = { out: false, in: false };

export class FleetNetwork {
  readonly #links: Link[] = [];
  /** `<server>/<part>` → what of its traffic is cut, seen from that server. */
  readonly #cuts = new Map<string, Cut>();

  /** Starts the links. */
  async routes(servers: readonly FleetServer[], ready: ReadyLine): Promise<Map<string, Route>> {
    const ports = await freePorts(servers.length * 4);
    const routes = new Map<string, Route>();
    const mqtt = new URL(`mqtts://${ready.mqtt}`);
    const https = new URL(ready.https);
    const provider = new URL(`https://${ready.credentialProvider}`);
    for (const [index, server] of servers.entries()) {
      const { name } = server;
      const [mqttPort = 0, httpsPort = 0, p2pPort = 0, credentialsPort = 0] = ports.slice(index * 4);
      const toCloud = () => this.#cut(name, 'cloud');
      this.#links.push(
        new Link({ port: mqttPort, targetPort: Number(mqtt.port), cutOf: toCloud }),
        new Link({ port: httpsPort, targetPort: Number(https.port), cutOf: toCloud }),
        new Link({ port: credentialsPort, targetPort: Number(provider.port), cutOf: toCloud }),
        new Link({
          port: p2pPort,
          targetPort: server.p2pPort,
          originOf: (dialling) => diallerOf(dialling, servers),
          cutOf: (origin) => this.#p2pCut(origin, name),
        }),
      );
      routes.set(name, {
        mqtt: `${mqtt.hostname}:${mqttPort}`,
        https: `https://${https.hostname}:${httpsPort}`,
        socket: undefined,
        credentialProvider: `${provider.hostname}:${credentialsPort}`,
        p2pPort,
      });
    }
    for (const link of this.#links) await link.start();
    return routes;
  }

  /** `out`: what the server sends is lost; `in`: what it should receive. */
  cut(server: string, part: Part, cut: Cut): void {
    this.#cuts.set(`${server}/${part}`, cut);
    this.#refresh();
  }

  mend(server: string, part: Part): void {
    this.#cuts.delete(`${server}/${part}`);
    this.#refresh();
  }

  stop(): void {
    for (const link of this.#links) link.stop();
  }

  #refresh(): void {
    for (const link of this.#links) link.refresh();
  }

  #cut(server: string, part: Part): Cut {
    return this.#cuts.get(`${server}/${part}`) ?? open;
  }

  /** Of a connection that `origin` dialled to `target`. */
  #p2pCut(origin: string | undefined, target: string): Cut {
    const own = origin === undefined ? open : this.#cut(origin, 'p2p');
    const other = this.#cut(target, 'p2p');
    return { out: own.out || other.in, in: own.in || other.out };
  }
}

/** The server whose gaiad holds the other end; undefined: none of them, or it can't be told on this system. */
function diallerOf({ remotePort }: Socket, servers: readonly FleetServer[]): string | undefined {
  const inode = remotePort === undefined ? undefined : socketInode(remotePort);
  if (inode === undefined) return undefined;
  return servers.find((server) => {
    const gaiad = server.gaiad();
    return gaiad !== undefined && holdsSocket(gaiad.pid, inode);
  })?.name;
}

/** proc_net(5): local_address is `<address>:<port>` in hex, the inode is the tenth field. */
function socketInode(port: number): string | undefined {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    let text: string;
    try {
      text = readFileSync(table, 'utf8');
    } catch {
      // Not Linux, or without IPv6.
      continue;
    }
    for (const line of text.split('\n').slice(1)) {
      const fields = line.trim().split(/\s+/);
      if (fields[1]?.endsWith(suffix) && fields[9] !== '0') return fields[9];
    }
  }
  return undefined;
}

function holdsSocket(pid: number, inode: string): boolean {
  const link = `socket:[${inode}]`;
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${fd}`) === link;
      } catch {
        // Closed meanwhile.
        return false;
      }
    });
  } catch {
    // Ended meanwhile.
    return false;
  }
}
