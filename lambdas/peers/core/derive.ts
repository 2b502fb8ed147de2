/** Each node's peers (design, section 5): validators behind sentries. The same fleet always gives the same text. */

import type { ReportedStatus } from '../../../protocol/shadows.ts';

/** The part of config.toml's `p2p` that Commander owns; what is left out is the operator's. */
export interface PeersPart {
  pex: boolean;
  addr_book_strict: boolean;
  persistent_peers?: string;
  private_peer_ids?: string;
  unconditional_peer_ids?: string;
}

export interface KnownNode {
  thing: string;
  status: ReportedStatus;
}

/** A shadow has 8 KB for desired and reported together; the ids go in twice. */
const peersCharactersMax = 3000;
const idsCharactersMax = 1000;
const nodeIdPattern = /^[0-9a-f]{40}$/;

/** A node that says of itself what others need to dial it. */
export function isKnown(status: ReportedStatus | undefined): status is ReportedStatus {
  return status !== undefined && nodeIdPattern.test(status.nodeId) && status.p2p !== '';
}

/** @returns by thing; empty where the fleet has no sentries: then peers are the operator's alone. */
export function derivePeers(nodes: readonly KnownNode[]): Map<string, PeersPart> {
  const sentries = nodes.filter(({ status }) => status.kind === 'sentry');
  const validators = nodes.filter(({ status }) => status.kind === 'validator');
  if (sentries.length === 0) return new Map();
  const ids = joined(
    idsCharactersMax,
    validators.map(({ status }) => status.nodeId),
  );
  const ofValidator: PeersPart = {
    pex: false,
    addr_book_strict: false,
    persistent_peers: joined(peersCharactersMax, sentries.map(address)),
  };
  const ofSentry = ({ status }: KnownNode): PeersPart => {
    const own = new Set([status.nodeId, ...validators.map((node) => node.status.nodeId)]);
    const outside = status.outsidePeers?.filter((peer) => !own.has(peer.split('@')[0] ?? ''));
    return {
      pex: true,
      addr_book_strict: false,
      private_peer_ids: ids,
      unconditional_peer_ids: ids,
      // Without knowing the way out that the operator gave it, it keeps that; validators dial it anyway.
      ...(outside ? { persistent_peers: joined(peersCharactersMax, validators.map(address), outside) } : {}),
    };
  };
  return new Map(
    nodes.map((node) => [node.thing, node.status.kind === 'sentry' ? ofSentry(node) : ofValidator]),
  );
}

const address = ({ status }: KnownNode) => `${status.nodeId}@${status.p2p}`;

/** Each group sorted, the first one first; what does not fit is left out from the end. */
function joined(charactersMax: number, ...groups: string[][]): string {
  const all = [...new Set(groups.flatMap((group) => [...group].sort()))];
  let text = '';
  for (const one of all) {
    const longer = text === '' ? one : `${text},${one}`;
    if (longer.length > charactersMax) break;
    text = longer;
  }
  return text;
}
