/** Brings gaiad's files to an overlay, and back: each file atomically, each step so that a crash after it is mended. */

import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { NodeKind } from '../../protocol/names.ts';
import type { Overlay, RejectedSetting } from '../../protocol/shadows.ts';
import { writeFileAtomically } from '../home/atomic-file.ts';
import { errorCode } from '../home/error-code.ts';
import { checkOverlay } from './check-overlay.ts';
import { ChainFileError, type Merged, mergeOverlay, operatorsOwn, parseChainFile } from './merge-overlay.ts';
import {
  type ChainFile,
  chainFiles,
  type GaiadState,
  type OverlayStore,
  type OwnedByFile,
} from './overlay-state.ts';
import { pilotsSettings } from './pilots-settings.ts';
import { boundRejected, rejectedSetting } from './rejected.ts';
import { isTable, settingAt, type TomlTable } from './toml-tree.ts';

export interface ChainHome {
  kind: NodeKind;
  /** gaiad's home. */
  home: string;
  /** `priv_validator_laddr`; undefined where this gaiad has no Beam signer. */
  signerAddress: string | undefined;
  /** False: who signs is as the operator set it up (protocol/stages.ts). */
  signs: boolean;
  rpcPort: number;
}

export type Applied =
  | { outcome: 'rejected'; state: GaiadState }
  /** The files say it already. */
  | { outcome: 'unchanged'; state: GaiadState }
  /** An overlay that was good before, or settings of the pilot's own, written again over what the files had become. */
  | { outcome: 'restored'; state: GaiadState; changed: string[] }
  /** Written; gaiad has to be started with it and show that it can. */
  | { outcome: 'trial'; state: GaiadState; changed: string[] };

type Texts = Partial<Record<ChainFile, string>>;

export class OverlayApplier {
  readonly #chain: ChainHome;
  readonly #store: OverlayStore;

  constructor(chain: ChainHome, store: OverlayStore) {
    this.#chain = chain;
    this.#store = store;
  }

  /**
   * @param beforeWrite awaited before a file changes: from then on a running gaiad has an old configuration.
   * @throws ChainFileError where a file of the home is missing or not TOML.
   */
  async apply(
    state: GaiadState,
    wanted: { hash: string; overlay: Overlay; chainMoves: boolean },
    beforeWrite: () => Promise<void>,
  ): Promise<Applied> {
    const { hash, overlay, chainMoves } = wanted;
    const texts = await this.#read();
    const rejected = this.#check(overlay, texts, state.owned);
    if (rejected.length > 0) {
      const refused: GaiadState = {
        ...state,
        rejected: boundRejected(rejected),
        refused: { hash, by: 'check' },
      };
      await this.#store.save(refused);
      return { outcome: 'rejected', state: refused };
    }
    const merged = this.#merge(texts, overlay, state.owned);
    const changed = changedPaths(merged);
    const owned = ownedOf(merged);
    if (hash === state.lastGood || changed.length === 0) {
      const { refused, rejected: former, ...rest } = state;
      // What was refused meanwhile stays reported, as long as it isn't what is applied now.
      const stands = refused !== undefined && refused.hash !== hash && hash === state.lastGood;
      const settled: GaiadState = {
        ...rest,
        ...(stands ? { refused, rejected: former } : { rejected: [] }),
        lastGood: hash,
        overlay,
        owned,
      };
      if (changed.length > 0) await beforeWrite();
      // The state first: after a crash the files are merged again, from what they were or already are.
      await this.#store.save(settled);
      await this.#write(texts, merged);
      return changed.length > 0
        ? { outcome: 'restored', state: settled, changed }
        : { outcome: 'unchanged', state: settled };
    }
    const { refused: _, ...clear } = state;
    await this.#store.keepLastGood(texts);
    const tried: GaiadState = {
      ...clear,
      rejected: [],
      trial: { hash, overlay, owned, changed, chainMoved: chainMoves },
    };
    await this.#store.save(tried);
    await beforeWrite();
    await this.#write(texts, merged);
    return { outcome: 'trial', state: tried, changed };
  }

  /** A pilot before this one was interrupted in a trial: whatever it had written, the files become the trial's. */
  async resume(state: GaiadState): Promise<void> {
    if (!state.trial) return;
    const good = await this.#store.lastGood();
    await this.#write(await this.#read(), this.#merge(good, state.trial.overlay, state.owned));
  }

  async accept(state: GaiadState): Promise<GaiadState> {
    const { trial, ...rest } = state;
    if (!trial) return state;
    const accepted = { ...rest, lastGood: trial.hash, overlay: trial.overlay, owned: trial.owned };
    await this.#store.save(accepted);
    return accepted;
  }

  /** Puts the files of before back. */
  async rollBack(state: GaiadState, reason: string): Promise<GaiadState> {
    const { trial, ...rest } = state;
    if (!trial) return state;
    // The overlay of before over the files of before: with the pilot's own settings, whatever happened to them.
    const merged = this.#merge(await this.#store.lastGood(), state.overlay, state.owned);
    await this.#write(await this.#read(), merged);
    const rejected = boundRejected(
      trial.changed.map((path, index) => {
        const [file = '', ...rest] = path.split('/');
        const part: unknown = Object.entries(trial.overlay).find(([name]) => name === file)?.[1];
        const value = isTable(part) ? settingAt(part, rest.join('/').split('.')) : undefined;
        return rejectedSetting(
          path,
          value,
          index === 0 ? `rolled back: ${reason}` : 'rolled back together with it',
        );
      }),
    );
    const refused = { hash: trial.hash, by: 'roll-back' as const };
    const back: GaiadState = { ...rest, owned: ownedOf(merged), rejected, refused };
    await this.#store.save(back);
    return back;
  }

  /** The operator's own persistent peers, without any overlay. */
  async outsidePeers(state: GaiadState): Promise<string[]> {
    const text = (await this.#read())['config.toml'];
    if (text === undefined) return [];
    const owned = (state.trial?.owned ?? state.owned)['config.toml'];
    const peers = settingAt(operatorsOwn(text, owned, 'config.toml'), ['p2p', 'persistent_peers']);
    if (typeof peers !== 'string') return [];
    return peers
      .split(',')
      .map((peer) => peer.trim())
      .filter(Boolean);
  }

  async setting(file: ChainFile, path: string[]): Promise<unknown> {
    const text = (await this.#read())[file];
    return text === undefined ? undefined : settingAt(parseChainFile(text, file), path);
  }

  #check(overlay: Overlay, texts: Texts, owned: OwnedByFile): RejectedSetting[] {
    const files: Partial<Record<ChainFile, TomlTable>> = {};
    for (const file of chainFiles) {
      const text = texts[file];
      if (text !== undefined) files[file] = operatorsOwn(text, owned[file], this.#path(file));
    }
    const { kind, signerAddress, rpcPort } = this.#chain;
    return checkOverlay(overlay, { kind, underSigner: signerAddress !== undefined, rpcPort, files });
  }

  #merge(texts: Texts, overlay: Overlay, owned: OwnedByFile): Partial<Record<ChainFile, Merged>> {
    const merged: Partial<Record<ChainFile, Merged>> = {};
    const { kind, signerAddress, signs } = this.#chain;
    for (const file of chainFiles) {
      const text = texts[file];
      if (text === undefined) continue;
      const own = file === 'config.toml' ? pilotsSettings(kind, signerAddress, signs) : {};
      merged[file] = mergeOverlay(text, joined(overlay[file] ?? {}, own), owned[file], this.#path(file));
    }
    return merged;
  }

  #path(file: ChainFile): string {
    return join(this.#chain.home, 'config', file);
  }

  async #read(): Promise<Texts> {
    const texts: Texts = {};
    for (const file of chainFiles) {
      try {
        texts[file] = await readFile(this.#path(file), 'utf8');
      } catch (error) {
        const code = errorCode(error);
        if (code === 'ENOENT' && file === 'app.toml') continue;
        const remedy =
          code === 'ENOENT'
            ? 'make the chain home with `init`, or correct gaiad.home'
            : 'give the pilot access';
        throw new ChainFileError(`${this.#path(file)} can't be read (${code}): ${remedy}`, { cause: error });
      }
    }
    return texts;
  }

  async #write(now: Texts, merged: Partial<Record<ChainFile, Merged>>): Promise<void> {
    for (const file of chainFiles) {
      const text = merged[file]?.text;
      if (text !== undefined && text !== now[file]) await this.#writeFile(file, text);
    }
  }

  async #writeFile(file: ChainFile, text: string): Promise<void> {
    const path = this.#path(file);
    const mode = await stat(path).then(
      (found) => found.mode & 0o777,
      () => 0o644,
    );
    await writeFileAtomically(path, text, mode);
  }
}

function changedPaths(merged: Partial<Record<ChainFile, Merged>>): string[] {
  return chainFiles.flatMap((file) => (merged[file]?.changed ?? []).map((path) => `${file}/${path}`));
}

function ownedOf(merged: Partial<Record<ChainFile, Merged>>): OwnedByFile {
  return {
    'config.toml': merged['config.toml']?.owned ?? [],
    'app.toml': merged['app.toml']?.owned ?? [],
  };
}

/** Both trees in one; where both name a setting, `over`'s stands. */
function joined(base: TomlTable, over: TomlTable): TomlTable {
  const result: TomlTable = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const former = result[key];
    result[key] = isTable(value) && isTable(former) ? joined(former, value) : value;
  }
  return result;
}
