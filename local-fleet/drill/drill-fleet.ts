/** A fleet of a drill's own, and everything that the drill sees of it. */

import { readSignRecord } from '../../operator/actions/read-fleet.ts';
import { writeShadow } from '../../operator/actions/shadow-document.ts';
import type { SignRecord } from '../../protocol/sign-record.ts';
import type { JournalEntry } from '../../protocol/signer-control.ts';
import { missedBlocks } from '../chains/observe.ts';
import { consensusAddressOf } from '../data/consensus-key.ts';
import type { LocalFleet } from '../fleet.ts';
import type { FleetServer } from '../nodes/fleet-server.ts';
import { whatIsMissing } from '../screen/fleet-view.ts';
import type { FleetWatch } from '../screen/watch.ts';
import { waitUntil } from '../wait-until.ts';
import { CommitWatch } from './commit-watch.ts';
import { readJournal } from './journals.ts';

const checkEveryMs = 200;
/** A standby follows the head; it may be a block behind at the moment of asking. */
const heightsBehindMax = 2;

export class DrillFleet {
  readonly fleet: LocalFleet;
  readonly watch: FleetWatch;
  readonly commits: CommitWatch;
  #observed: unknown = [];

  constructor(fleet: LocalFleet, watch: FleetWatch) {
    this.fleet = fleet;
    this.watch = watch;
    this.commits = new CommitWatch(this.sentries.map(({ rpc }) => rpc));
  }

  get validators(): FleetServer[] {
    return this.fleet.servers.filter(({ isValidator }) => isValidator);
  }
  get sentries(): FleetServer[] {
    return this.fleet.servers.filter(({ isValidator }) => !isValidator);
  }
  /** A node that no fault touches. */
  get rpc(): string {
    const [sentry] = this.sentries;
    if (!sentry) throw new Error('a drill needs a sentry to look from');
    return sentry.rpc;
  }

  /** Reads what is left to read of the commits, then lets go of the fleet, which may run on. */
  async close(): Promise<void> {
    await this.commits.stop();
    this.#observed = await this.#readCommits().catch((error: Error) => ({ error: error.message }));
    await this.watch.stop();
  }

  /** For the record; after `close`. */
  observedCommits(): unknown {
    return this.#observed;
  }

  async #readCommits(): Promise<unknown> {
    const to = this.commits.latest - 1;
    const missed = new Set(to >= 1 ? await missedBlocks(this.rpc, this.address, 1, to) : []);
    return Array.from({ length: Math.max(0, to) }, (_, index) => {
      const height = index + 1;
      const arrivedAtMs = this.commits.arrivedAtMs(height);
      return {
        height,
        arrivedAt: arrivedAtMs && new Date(arrivedAtMs).toISOString(),
        signed: !missed.has(height),
      };
    });
  }

  /** Our validator's consensus address. */
  get address(): string {
    return consensusAddressOf(this.fleet.file.chain.consensusKeyFile);
  }

  async record(): Promise<SignRecord> {
    const record = await readSignRecord(this.fleet.cloud, this.fleet.recordKey);
    if (!record) throw new Error(`the sign record ${this.fleet.recordKey} is gone`);
    return record;
  }

  /** A planned switch, by an operator's edit of that server's role shadow. */
  async switchTo(server: FleetServer): Promise<void> {
    await writeShadow(this.fleet.cloud, server.thing, 'role', { state: { desired: { role: 'active' } } });
  }

  serverOf(thing: string): FleetServer {
    const server = this.validators.find((validator) => validator.thing === thing);
    if (!server)
      throw new Error(`the record names ${thing || 'nobody'}, which is no validator of this fleet`);
    return server;
  }

  async journals(): Promise<{ server: FleetServer; entries: JournalEntry[] }[]> {
    return Promise.all(
      this.validators.map(async (server) => ({ server, entries: await readJournal(server.signerState) })),
    );
  }

  /** Things that call themselves active in their last report. */
  activeThings(): string[] {
    const active = Object.values(this.watch.view.nodes).filter(({ role }) => role === 'active');
    return active.map(({ node }) => `${this.watch.view.fleet}_${node}`);
  }

  /** Why the fleet is not whole, by what was heard since `sinceMs` and what the signers say; undefined: it is. */
  async missing(sinceMs: number): Promise<string | undefined> {
    const { view } = this.watch;
    const old = Object.values(view.nodes).find(({ heardAtMs = 0 }) => heardAtMs < sinceMs);
    if (old) return `${old.node} has not reported since`;
    const reported = whatIsMissing(view);
    if (reported !== undefined) return reported;
    const late = Object.values(view.nodes).find(
      ({ health }) => (health?.gaiad.height ?? 0) < this.commits.latest - heightsBehindMax,
    );
    if (late) return `${late.node} is at height ${late.health?.gaiad.height}`;
    const record = await this.record();
    for (const server of this.validators) {
      const status = await server.signer();
      const due = server.thing === record.holder ? 'active' : 'standby';
      if (status?.state !== due)
        return `${server.name}'s signer is ${status?.state ?? 'silent'}, ${due} is due`;
      if (!status.nodeConnected) return `${server.name}'s gaiad has not dialled its signer`;
    }
    return undefined;
  }

  /** @returns what was still missing when time was up; undefined: nothing. */
  async settle(sinceMs: number, timeoutMs: number, signal: AbortSignal): Promise<string | undefined> {
    let missing: string | undefined;
    const whole = await waitUntil(
      async () => {
        missing = await this.missing(sinceMs).catch((error: Error) => error.message);
        return missing === undefined;
      },
      { everyMs: checkEveryMs, timeoutMs, signal },
    );
    return whole ? undefined : missing;
  }
}
