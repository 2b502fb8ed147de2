/**
 * Who dials whom in a chain as made, before Beam's overlay: our validators reach the network through our sentries
 * where there are some. The outside validators dial our doors too, so a sentry keeps its way out whatever peers
 * its overlay names.
 */

export interface PeerNode {
  name: string;
  kind: 'validator' | 'sentry' | 'outside';
  /** `<node id>@<host>:<port>` */
  address: string;
}

/** @returns config.toml's `p2p.persistent_peers`, by node's name. */
export function initialPeers(nodes: readonly PeerNode[]): Record<string, string> {
  const of = (kind: PeerNode['kind']) => nodes.filter((node) => node.kind === kind);
  const doors = of('sentry').length > 0 ? of('sentry') : of('validator');
  const peersOf = (node: PeerNode): PeerNode[] => {
    if (node.kind === 'validator' && !doors.includes(node)) return doors;
    return [...of('outside'), ...doors];
  };
  return Object.fromEntries(
    nodes.map((node) => [
      node.name,
      peersOf(node)
        .filter((peer) => peer !== node)
        .map((peer) => peer.address)
        .join(','),
    ]),
  );
}
