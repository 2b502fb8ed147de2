/**
 * The settings of gaiad's files that are the pilot's own (design, invariant 7): no overlay names them. In a mode in which
 * Beam does not sign they stay the operator's, and no overlay names them either.
 */

import type { NodeKind } from '../../protocol/names.ts';
import type { TomlTable } from './toml-tree.ts';

/**
 * @param socket absolute path of the signer's socket; undefined where this server has no Beam signer.
 * @param signs false: who signs is as the operator set it up.
 * @returns settings of config.toml.
 */
export function pilotsSettings(kind: NodeKind, socket: string | undefined, signs: boolean): TomlTable {
  if (!signs) return {};
  if (socket !== undefined) {
    return {
      priv_validator_laddr: `unix://${socket}`,
      // A hot standby would stop at its start with `found signature from the same key`.
      consensus: { double_sign_check_height: 0 },
    };
  }
  // A sentry that waited for a signer would never start; a validator without ours signs as its operator set it up.
  return kind === 'sentry' ? { priv_validator_laddr: '' } : {};
}

/** @param path of config.toml. */
export function isPilots(path: readonly string[], underSigner: boolean): boolean {
  if (path.some((key) => key.startsWith('priv_validator_') || key === 'priv-validator')) return true;
  return underSigner && path.join('.') === 'consensus.double_sign_check_height';
}
