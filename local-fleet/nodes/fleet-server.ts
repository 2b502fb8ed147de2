/** One server of a local fleet: where its things are, and which processes are its own. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { homePaths } from '../../protocol/config.ts';
import { type NodeKind, thingName } from '../../protocol/names.ts';
import type { SignerStatus } from '../../protocol/signer-control.ts';
import { dataPaths, type FleetFile, socketFolder } from '../data/layout.ts';
import { isRunning, type ProcessIdentity, processIdentity } from '../processes/process-identity.ts';
import { askSigner } from './ask-signer.ts';

export class FleetServer {
  readonly name: string;
  readonly kind: NodeKind;
  readonly zone: string;
  readonly thing: string;
  /** Its Beam home. */
  readonly root: string;
  /** http://127.0.0.1:port */
  readonly rpc: string;
  readonly gaiadHome: string;
  readonly p2pPort: number;
  readonly rpcPort: number;

  constructor(data: string, file: FleetFile, node: FleetFile['nodes'][number]) {
    this.name = node.name;
    this.kind = node.kind;
    this.zone = node.zone;
    this.thing = thingName(file.fleet, node.name);
    this.root = dataPaths(data).node(node.name);
    this.rpcPort = node.rpcPort;
    this.p2pPort = node.p2pPort;
    this.rpc = `http://127.0.0.1:${node.rpcPort}`;
    const made = file.chain.homes[node.name];
    if (!made) throw new Error(`${data}: the chain has no home for ${node.name}`);
    this.gaiadHome = made.home;
  }

  get isValidator(): boolean {
    return this.kind === 'validator';
  }

  /** Names under which the runner keeps them. */
  get pilotProcess(): string {
    return `${this.name}/pilot`;
  }
  get signerProcess(): string | undefined {
    return this.isValidator ? `${this.name}/signer` : undefined;
  }

  log(process: 'pilot' | 'signer'): string {
    return join(this.root, homePaths.logs, `${process}.log`);
  }

  /** Its signer's own state and journal (config.toml's default place). */
  get signerState(): string {
    return join(this.root, 'signer/state');
  }

  /** @returns undefined while its gaiad does not run. */
  gaiad(): ProcessIdentity | undefined {
    try {
      const text = readFileSync(join(this.root, homePaths.gaiadPid), 'utf8');
      const identity = processIdentity.parse(JSON.parse(text));
      return isRunning(identity) ? identity : undefined;
    } catch {
      // Not written yet, or being replaced.
      return undefined;
    }
  }

  /** @returns undefined where there is no signer, or it doesn't answer. */
  async signer(): Promise<SignerStatus | undefined> {
    if (!this.isValidator) return undefined;
    return askSigner(join(socketFolder(this.root), 'signer-control.sock'));
  }
}
