/**
 * The overlay over an operator's file, in place: pure. Comments, order and every other setting stay as they are. What a
 * setting was before is kept, so that an overlay that no longer names it gives it back.
 */

import { parse, patch } from '@decimalturn/toml-patch';
import * as z from 'zod';
import { isTable, sameValue, settingAt, settings, type TomlTable, withSetting } from './toml-tree.ts';

/** A setting that an overlay has changed. */
export const ownedSetting = z.object({
  path: z.array(z.string()),
  /** The operator's own; undefined: the file had none. */
  original: z.json().optional(),
  written: z.json(),
});
export type OwnedSetting = z.infer<typeof ownedSetting>;

/** Raised when a file of the chain's home is not TOML: says where. */
export class ChainFileError extends Error {
  override readonly name = 'ChainFileError';
}

export function parseChainFile(text: string, file: string): TomlTable {
  let content: unknown;
  try {
    content = parse(text);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new ChainFileError(`${file} is not TOML: ${why}`, { cause: error });
  }
  if (!isTable(content)) throw new ChainFileError(`${file} is not TOML`);
  return content;
}

export interface Merged {
  text: string;
  owned: OwnedSetting[];
  /** Dotted paths whose value differs from before. */
  changed: string[];
}

/**
 * @param owned as the last merge of this file returned it.
 * @throws ChainFileError
 */
export function mergeOverlay(
  text: string,
  overlay: TomlTable,
  owned: readonly OwnedSetting[],
  file: string,
): Merged {
  const before = parseChainFile(text, file);
  const wanted = settings(overlay);
  const isWanted = (path: readonly string[]) => wanted.some((setting) => sameValue(setting.path, path));
  let after = before;
  const changed: string[] = [];
  const set = (path: readonly string[], value: unknown) => {
    if (sameValue(settingAt(after, path), value)) return;
    after = withSetting(after, path, value);
    changed.push(path.join('.'));
  };

  for (const { path, original, written } of owned) {
    // Given back, unless the operator has set it by hand since.
    if (!isWanted(path) && sameValue(settingAt(before, path), written)) set(path, original);
  }
  const nowOwned = wanted.map(({ path, value }): OwnedSetting => {
    const current = settingAt(before, path);
    const former = owned.find((setting) => sameValue(setting.path, path));
    const original = former && sameValue(current, former.written) ? former.original : asJson(current);
    set(path, value);
    return { path, ...(original === undefined ? {} : { original }), written: z.json().parse(value) };
  });
  return { text: changed.length > 0 ? patch(text, after) : text, owned: nowOwned, changed };
}

function asJson(value: unknown): OwnedSetting['original'] {
  return value === undefined ? undefined : z.json().parse(JSON.parse(JSON.stringify(value)));
}

/** The file as the operator has it: with every owned setting given back. */
export function operatorsOwn(text: string, owned: readonly OwnedSetting[], file: string): TomlTable {
  return parseChainFile(mergeOverlay(text, {}, owned, file).text, file);
}
