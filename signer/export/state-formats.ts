/** How far a key has signed, as another tool's own state file says it. Each refuses all at or below a bare position. */

import { join } from 'node:path';
import type { SignPosition } from '../../protocol/sign-position.ts';

export const exportTools = ['filepv', 'tmkms', 'horcrux'] as const;
export type ExportTool = (typeof exportTools)[number];

/** @returns the files to write, each by its name there and its text */
export function stateFiles(tool: ExportTool, chainId: string, floor: SignPosition): [string, string][] {
  const { height, round, step } = floor;
  const text = (state: object) => `${JSON.stringify(state, undefined, 2)}\n`;
  switch (tool) {
    case 'filepv':
      // Without sign bytes: privval/file.go answers "no SignBytes found" at this very position.
      return [['priv_validator_state.json', text({ height: String(height), round, step })]];
    case 'tmkms':
      return [
        [
          `${chainId}-consensus.json`,
          text({ height: String(height), round: String(round), step, block_id: null }),
        ],
      ];
    case 'horcrux': {
      const state = text({ height: String(height), round: String(round), step, ephemeral_public: null });
      return [
        [`${chainId}_priv_validator_state.json`, state],
        [`${chainId}_share_sign_state.json`, state],
      ];
    }
  }
}

export function keyFileIn(folder: string): string {
  return join(folder, 'priv_validator_key.json');
}
