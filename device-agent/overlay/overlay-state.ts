/** What the pilot remembers of gaiad's configuration across restarts and crashes: `state/gaiad.json`. */

import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { overlayHash } from '../../protocol/overlay-hash.ts';
import { overlay, rejectedSetting } from '../../protocol/shadows.ts';
import { writeFileAtomically } from '../home/atomic-file.ts';
import { ownedSetting } from './merge-overlay.ts';

export const chainFiles = ['config.toml', 'app.toml'] as const;
export type ChainFile = (typeof chainFiles)[number];

const ownedByFile = z.object({
  'config.toml': z.array(ownedSetting).default([]),
  'app.toml': z.array(ownedSetting).default([]),
});
export type OwnedByFile = z.infer<typeof ownedByFile>;

const gaiadStateFile = z.object({
  v: z.literal(1),
  /** `overlayHash` of the last overlay that proved good, and what it is. */
  lastGood: z.string(),
  overlay,
  owned: ownedByFile,
  /** Written, and not yet seen healthy. The files of before are in `state/last-good/`. */
  trial: z
    .object({
      hash: z.string(),
      overlay,
      owned: ownedByFile,
      changed: z.array(z.string()),
      /** The chain went on before: then it must go on with it. */
      chainMoved: z.boolean(),
    })
    .optional(),
  /** Not tried again until the fleet wants another one. */
  refused: z.object({ hash: z.string(), by: z.enum(['check', 'roll-back']) }).optional(),
  rejected: z.array(rejectedSetting),
  /** gaiad has answered on this server before. */
  ranBefore: z.boolean(),
  /** From a start to the first answer of its RPC, the last time. */
  startSeconds: z.number(),
  /** The fleet's consensus address, as last heard: its key must not be on the node, signer up or not. */
  keyAddress: z.string().optional(),
});
export type GaiadState = z.infer<typeof gaiadStateFile>;

export const initialGaiadState: GaiadState = {
  v: 1,
  lastGood: overlayHash({}),
  overlay: {},
  owned: { 'config.toml': [], 'app.toml': [] },
  rejected: [],
  ranBefore: false,
  startSeconds: 0,
};

/** The hash of the overlay that gaiad's files now hold. */
export function hashOnDisk(state: GaiadState): string {
  return state.trial?.hash ?? state.lastGood;
}

export class OverlayStore {
  readonly #folder: string;

  /** @param folder the home's state folder. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** @returns undefined where there is none, or none that can be read. */
  async load(): Promise<GaiadState | undefined> {
    try {
      return gaiadStateFile.parse(JSON.parse(await readFile(join(this.#folder, 'gaiad.json'), 'utf8')));
    } catch {
      return undefined;
    }
  }

  async save(state: GaiadState): Promise<void> {
    await mkdir(this.#folder, { recursive: true });
    await writeFileAtomically(join(this.#folder, 'gaiad.json'), `${JSON.stringify(state, null, 1)}\n`);
  }

  async keepLastGood(texts: Partial<Record<ChainFile, string>>): Promise<void> {
    await mkdir(this.#lastGood, { recursive: true });
    for (const file of chainFiles) {
      const text = texts[file];
      if (text !== undefined) await writeFileAtomically(join(this.#lastGood, file), text);
    }
  }

  async lastGood(): Promise<Partial<Record<ChainFile, string>>> {
    const texts: Partial<Record<ChainFile, string>> = {};
    for (const file of chainFiles) {
      const text = await readFile(join(this.#lastGood, file), 'utf8').catch(() => undefined);
      if (text !== undefined) texts[file] = text;
    }
    return texts;
  }

  get #lastGood(): string {
    return join(this.#folder, 'last-good');
  }
}
