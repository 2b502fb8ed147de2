/**
 * The overlay over an operator's file, in place: pure. Comments, order and every other setting stay as they are. What a
 * setting was before is kept, so that an overlay that no longer names it gives it back.
 */

import { parse, patch } from '@decimalturn/toml-patch';
import * as z from 'zod';
import {
  isTable,
  sameValue,
  settingAt,
  settings,
  type TomlPath,
  type TomlTable,
  withSetting,
} from './toml-tree.ts';

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
  return { text: changed.length > 0 ? rewritten(text, before, after) : text, owned: nowOwned, changed };
}

/**
 * Settings that go are taken out line by line: @decimalturn/toml-patch takes the comments behind them along. What is not
 * on a line of its own is left to it.
 */
function rewritten(text: string, before: TomlTable, after: TomlTable): string {
  let current = text;
  let content = before;
  for (const { path } of settings(before)) {
    if (settingAt(after, path) !== undefined) continue;
    const without = withSetting(content, path, undefined);
    const shorter = withoutLine(current, path);
    if (shorter === undefined || !sameValue(tryParse(shorter), without)) continue;
    current = shorter;
    content = without;
  }
  return sameValue(content, after) ? current : patch(current, after);
}

function withoutLine(text: string, path: TomlPath): string | undefined {
  const table = path.slice(0, -1).join('.');
  const key = path.at(-1) ?? '';
  const lines = text.split('\n');
  let inTable = '';
  const at = lines.findIndex((line) => {
    inTable = /^\s*\[([^[\]]+)\]\s*(?:#.*)?$/.exec(line)?.[1]?.trim() ?? inTable;
    return inTable === table && line.replace(/=.*/, '').trim() === key && line.includes('=');
  });
  if (at < 0) return undefined;
  return lines.toSpliced(at, 1).join('\n');
}

function tryParse(text: string): unknown {
  try {
    return parse(text);
  } catch {
    return undefined;
  }
}

function asJson(value: unknown): OwnedSetting['original'] {
  return value === undefined ? undefined : z.json().parse(JSON.parse(JSON.stringify(value)));
}

/** The file as the operator has it: with every owned setting given back. */
export function operatorsOwn(text: string, owned: readonly OwnedSetting[], file: string): TomlTable {
  const content = parseChainFile(text, file);
  return owned.reduce(
    (own, { path, original, written }) =>
      sameValue(settingAt(content, path), written) ? withSetting(own, path, original) : own,
    content,
  );
}
