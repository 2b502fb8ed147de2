/**
 * The settings of gaiad's files that are the pilot's own (design, invariant 7): no overlay names them. In a mode in which
 * Beam does not sign they stay the operator's, and no overlay names them either.
 */

import { hostname, networkInterfaces } from 'node:os';
import { type ConfigFile, tcpAddress } from '../../protocol/config.ts';
import type { NodeKind } from '../../protocol/names.ts';
import type { TomlTable } from './toml-tree.ts';

/**
 * @param laddr where this gaiad listens for its signer; undefined where it has no Beam signer.
 * @param signs false: who signs is as the operator set it up.
 * @returns settings of config.toml.
 */
export function pilotsSettings(kind: NodeKind, laddr: string | undefined, signs: boolean): TomlTable {
  if (!signs) return {};
  if (laddr !== undefined) {
    return {
      priv_validator_laddr: laddr,
      // A hot standby would stop at its start with `found signature from the same key`.
      consensus: { double_sign_check_height: 0 },
    };
  }
  // A sentry that waited for a signer would never start; a validator without ours signs as its operator set it up.
  return kind === 'sentry' ? { priv_validator_laddr: '' } : {};
}

/** Addresses of this host, names aside. */
function ownAddresses(): string[] {
  const addresses = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
  return addresses.map(({ address }) => address);
}

/**
 * `priv_validator_laddr` of the gaiad beside: the signer's socket, or the address by TCP at which the signer dials,
 * where that is on this host. A signer whose node is on another host is none of this gaiad's, and leaves it as it is.
 * @param socket absolute
 */
export function signerAddress(
  node: NonNullable<ConfigFile['signer']>['node'],
  socket: string,
  addresses = ownAddresses(),
): string | undefined {
  if (node === undefined) return `unix://${socket}`;
  const { host } = tcpAddress(node);
  const here = ['localhost', hostname(), ...addresses].includes(host) || host.startsWith('127.');
  return here ? node : undefined;
}

/** The unix socket in such an address, where it is one. */
export function socketOf(laddr: string | undefined): string | undefined {
  return laddr?.startsWith('unix://') ? laddr.slice('unix://'.length) : undefined;
}

/** @param path of config.toml. */
export function isPilots(path: readonly string[], underSigner: boolean): boolean {
  if (path.some((key) => key.startsWith('priv_validator_') || key === 'priv-validator')) return true;
  return underSigner && path.join('.') === 'consensus.double_sign_check_height';
}
