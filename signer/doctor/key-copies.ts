/**
 * Who else holds the key on this machine: a bounded search that compares public keys, so that neither a file's name nor
 * its form hides it. It opens small files that may hold a key, and tells of them nothing but their path.
 */

import { type Dir, type Dirent, readFileSync, statSync } from 'node:fs';
import { opendir, realpath } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { readFormerKey } from '../import/former-key.ts';
import { readShare } from '../import/horcrux-shares.ts';
import { readSecret } from '../import/secret-file.ts';
import type { Finding } from './finding.ts';

/** Bounds of one search. */
const entriesMax = 50_000;
const depthMax = 6;
const searchMsMax = 15_000;
const keyBytesMax = 16 * 1024;
/** No base64 of an Ed25519 key is shorter. */
const keyBytesMin = 40;

/** Where keys are not, and files are many. */
const skipped = new Set([
  'node_modules',
  '.git',
  '.npm',
  '.cache',
  '.cargo',
  '.rustup',
  'docker',
  'containerd',
  'proc',
  'sys',
  'dev',
]);
/** A node's databases. */
const isDatabase = (name: string) => name.endsWith('.db') || name === 'wasm' || name === 'snapshots';

export interface Copy {
  path: string;
  /** gaiad's home leads to it, be it by links. */
  inGaiad: boolean;
  /** A whole key, or a share of Horcrux. */
  holds: 'key' | 'share';
}

export interface Search {
  /** Those that are there and were searched. */
  folders: string[];
  /** Those that this user can't open, or that are no folders. */
  closed: { path: string; named: boolean }[];
  copies: Copy[];
  entries: number;
  /** It ended by its bounds of files or time. */
  cut: boolean;
}

export interface Places {
  /** Searched first; links to folders are followed in it, as gaiad follows them. Elsewhere what they lead to is found where it lies. */
  gaiadHome: string;
  /** Must be looked at: that one of them can't be is told. */
  named: string[];
  likely: string[];
}

/** @param except the signer's own key file */
export async function findCopies(
  publicKey: Uint8Array,
  { gaiadHome, named, likely }: Places,
  except: string | undefined,
): Promise<Search> {
  const untilMs = performance.now() + searchMsMax;
  const found: Search = { folders: [], closed: [], copies: [], entries: 0, cut: false };
  const seen = new Set<string>();
  const own = await namesOf(except);
  const queue = [gaiadHome, ...named, ...likely].map((folder, index) => ({
    folder: resolve(folder),
    depth: 0,
    inGaiad: index === 0,
    named: index <= named.length,
  }));
  for (let next = queue.shift(); next; next = queue.shift()) {
    const { folder, depth, inGaiad, named } = next;
    const real = await realpath(folder).catch(() => undefined);
    if (real === undefined || seen.has(real)) continue;
    seen.add(real);
    const entries = await opendir(real).catch(() => undefined);
    if (!entries) {
      found.closed.push({ path: real, named });
      continue;
    }
    if (depth === 0) found.folders.push(real);
    for await (const entry of entriesOf(entries)) {
      if (++found.entries > entriesMax || performance.now() > untilMs) return { ...found, cut: true };
      const path = join(real, entry.name);
      const kind = kindOf(entry, path, inGaiad);
      if (kind === 'folder' && !skipped.has(entry.name) && !isDatabase(entry.name)) {
        if (depth < depthMax) queue.push({ folder: path, depth: depth + 1, inGaiad, named: inGaiad });
      } else if (kind === 'file' && !own.includes(path)) {
        const holds = keyIn(path, publicKey);
        if (holds) found.copies.push({ path, inGaiad, holds });
      }
    }
  }
  return found;
}

/** The file, and the name by which the configuration has it: that one may be a link. Any other link to it is a further way to the key. */
async function namesOf(path: string | undefined): Promise<string[]> {
  if (path === undefined) return [];
  const folder = await realpath(dirname(path)).catch(() => dirname(path));
  return [join(folder, basename(path)), await realpath(path).catch(() => path)];
}

async function* entriesOf(entries: Dir): AsyncGenerator<Dirent> {
  try {
    yield* entries;
  } catch {
    // Gone meanwhile.
  }
}

function kindOf(entry: Dirent, path: string, linkedFolders: boolean): 'folder' | 'file' | undefined {
  if (entry.isDirectory()) return 'folder';
  if (entry.isFile()) return 'file';
  if (!entry.isSymbolicLink()) return undefined;
  try {
    const target = statSync(path);
    if (target.isFile()) return 'file';
    return linkedFolders && target.isDirectory() ? 'folder' : undefined;
  } catch {
    return undefined;
  }
}

/** A first look at the text, so that few files are parsed: FilePV's, Horcrux's of both kinds, softsign's. */
const mayBeKey = /"priv_key"|"privateShard"|"secret_share"|^\s*[A-Za-z0-9+/]{43,128}={0,2}\s*$/;

function keyIn(path: string, publicKey: Uint8Array): Copy['holds'] | undefined {
  try {
    const { size } = statSync(path);
    if (size < keyBytesMin || size > keyBytesMax || !mayBeKey.test(readFileSync(path, 'latin1')))
      return undefined;
    const secret = readSecret(path);
    if (/"privateShard"|"secret_share"/.test(secret.text)) {
      return readShare(secret).publicKey.equals(publicKey) ? 'share' : undefined;
    }
    return Buffer.from(readFormerKey('tmkms', [path]).publicKey).equals(publicKey) ? 'key' : undefined;
  } catch {
    return undefined;
  }
}

/** @param signs whether Beam signs here (mode `sign`): before that the former signer's key is where it must be */
export function copyFindings({ folders, closed, copies, entries, cut }: Search, signs: boolean): Finding[] {
  const findings = copies.map(({ path, inGaiad, holds }): Finding => {
    if (holds === 'share') {
      return {
        check: 'copies',
        level: 'warning',
        text: `${path} is a share of this key, of Horcrux`,
        remedy:
          'stop its cosigners for ever, then destroy the shares, all but what you keep offline as a backup',
      };
    }
    if (!signs) {
      return {
        check: 'copies',
        level: 'warning',
        text: `${path} holds this key, for the signer before Beam`,
        remedy: 'before mode = "sign" stop that signer for ever, and move the file off this machine',
      };
    }
    return inGaiad
      ? {
          check: 'copies',
          level: 'critical',
          text: `${path} holds this key: a gaiad that is started without its signer signs with it, and no guard knows`,
          remedy: 'move it off this machine; gaiad makes itself a fresh key in its place',
        }
      : {
          check: 'copies',
          level: 'critical',
          text: `${path} holds this key as well: whatever is started on it signs beside the guard`,
          remedy: 'move it off this machine; a backup belongs offline',
        };
  });
  if (cut) {
    findings.push({
      check: 'copies',
      level: 'unknown',
      text: `the search was cut short (${entries} entries seen; it ends at ${entriesMax}, or ${searchMsMax / 1000} s)`,
      remedy: 'name the folders that matter with --look',
    });
  }
  const closedNamed = closed.filter(({ named }) => named);
  if (closedNamed.length > 0) {
    findings.push({
      check: 'copies',
      level: 'unknown',
      text: `nobody looked into ${showPaths(closedNamed)}: this user can't open it as a folder`,
      remedy: 'name folders with --look, and run the doctor as a user who may read them',
    });
  }
  if (findings.length > 0) return findings;
  return [
    {
      check: 'copies',
      level: 'well',
      // A clean answer for places that nobody looked at would be the worst one.
      text: `no other copy of the key among ${entries} files and folders below ${folders.join(', ')}${closed.length > 0 ? `; not looked at, for this user may not: ${showPaths(closed)}` : ''}; elsewhere by --look`,
    },
  ];
}

const pathsShown = 5;
function showPaths(places: readonly { path: string }[]): string {
  const shown = places.slice(0, pathsShown).map(({ path }) => path);
  const more = places.length - shown.length;
  return `${shown.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
