/** The pilot's health message and status shadow, from what it sees: pure. */

import type { ReportedGaiad, ReportedRoleState, ReportedStatus } from '../../protocol/shadows.ts';
import type { SignerStatus } from '../../protocol/signer-control.ts';
import { stageFeatures } from '../../protocol/stages.ts';
import { type HealthMessage, signerSummary } from '../../protocol/topics.ts';
import { blockSeconds, type ChainView, missedRecently } from '../chain/chain-view.ts';
import type { NodeView } from '../chain/chain-watch.ts';
import type { Home } from '../home/load-home.ts';
import { beamVersion } from '../home/version.ts';

/** All that the reports are made of. */
export interface Seen {
  home: Home;
  role: ReportedRoleState;
  gaiad: ReportedGaiad;
  chain: ChainView;
  node: NodeView;
  signer: { up: boolean; status: SignerStatus | undefined } | undefined;
  load: HealthMessage['load'];
  monotonicMs: number;
}

export type HealthBody = Omit<HealthMessage, 'v' | 'thing' | 'bootId' | 'seq' | 'at'>;

const outsidePeersMax = 16;

export function health({ home, role, gaiad, chain, node, signer, load, monotonicMs }: Seen): HealthBody {
  const seconds = blockSeconds(chain);
  const sinceCommitMs =
    chain.committedAtMs === undefined
      ? undefined
      : Math.max(0, Math.round(monotonicMs - chain.committedAtMs));
  return {
    kind: home.node.kind,
    ...(home.node.zone === undefined ? {} : { zone: home.node.zone }),
    mode: home.config.mode,
    everySeconds: home.config.health.seconds,
    role: role.role,
    epoch: role.epoch,
    gaiad: {
      state: gaiad.state,
      ...(chain.height > 0 ? { height: chain.height } : {}),
      ...(sinceCommitMs === undefined ? {} : { sinceCommitMs }),
      ...(node.status ? { catchingUp: node.status.sync_info.catching_up } : {}),
      ...(node.peers === undefined ? {} : { peers: node.peers }),
      ...(seconds === undefined ? {} : { blockSeconds: seconds }),
    },
    ...(signer || watchesSigner(home) ? { signing: signing(chain) } : {}),
    ...(signer?.up && signer.status ? { signer: signerSummary.parse(signer.status) } : {}),
    ...(load ? { load } : {}),
  };
}

/** Another signer than Beam's signs for this validator, and the node tells its address. */
function watchesSigner({ config, node }: Home): boolean {
  return node.kind === 'validator' && !stageFeatures[config.mode].signs;
}

function signing(chain: ChainView): NonNullable<HealthMessage['signing']> {
  const { lastSignedHeight, missedTotal } = chain;
  return {
    ...(lastSignedHeight === undefined ? {} : { lastSignedHeight }),
    ...missedRecently(chain),
    missedTotal,
  };
}

export function status(
  { home, node }: Pick<Seen, 'home' | 'node'>,
  own: { nodeId: string | undefined; outsidePeers: readonly string[]; minute: ReportedStatus['minute'] },
): ReportedStatus {
  const { config, node: identity } = home;
  const info = node.status?.node_info;
  return {
    nodeId: info?.id ?? own.nodeId ?? '',
    p2p: config.gaiad.p2p,
    rpc: config.gaiad.rpc,
    kind: identity.kind,
    ...(identity.zone === undefined ? {} : { zone: identity.zone }),
    mode: config.mode,
    chainId: info?.network ?? config.signer?.chain_id ?? '',
    versions: { beam: beamVersion, node: process.version, chain: (node.chainVersion ?? '').slice(0, 128) },
    catchingUp: node.status?.sync_info.catching_up ?? true,
    outsidePeers: own.outsidePeers.filter((peer) => peer.length <= 320).slice(0, outsidePeersMax),
    ...(own.minute ? { minute: own.minute } : {}),
  };
}

export function minute({ chain, node, load }: Seen, wallMs: number): NonNullable<ReportedStatus['minute']> {
  return {
    at: Math.round(wallMs),
    height: chain.height,
    peers: node.peers ?? 0,
    load1: load?.load1 ?? 0,
    ...(chain.lastSignedHeight === undefined ? {} : { lastSignedHeight: chain.lastSignedHeight }),
  };
}
