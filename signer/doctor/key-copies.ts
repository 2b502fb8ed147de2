/**
 * Who else holds the key on this machine: a bounded search that compares public keys, so that neither a file's name nor
 * its form hides it. It opens small files that may hold a key, and tells of them nothing but their path.
 */

import { type Dirent, readFileSync, statSync } from 'node:fs';
import { opendir, realpath } from 'node:fs/promises';
import { join, resolve } from 'node:path';
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
  /** A whole key, or a share of Horcrux. */
  holds: 'key' | 'share';
}

export interface Search {
  /** Those that are there and were searched. */
  folders: string[];
  copies: Copy[];
  entries: number;
  /** It ended by its bounds of files or time. */
  cut: boolean;
}

/** @param except the signer's own key file */
export async function findCopies(
  publicKey: Uint8Array,
  folders: string[],
  except: string | undefined,
): Promise<Search> {
  const untilMs = performance.now() + searchMsMax;
  const found: Search = { folders: [], copies: [], entries: 0, cut: false };
  const seen = new Set<string>();
  const own = except && (await realpath(except).catch(() => except));
  const queue = folders.map((folder) => ({ folder: resolve(folder), depth: 0 }));
  for (let next = queue.shift(); next; next = queue.shift()) {
    const { folder, depth } = next;
    const real = await realpath(folder).catch(() => undefined);
    if (real === undefined || seen.has(real)) continue;
    seen.add(real);
    if (depth === 0) found.folders.push(real);
    for await (const entry of entriesOf(real)) {
      if (++found.entries > entriesMax || performance.now() > untilMs) return { ...found, cut: true };
      const path = join(real, entry.name);
      // Links are not followed: what they lead to is found where it lies, or is out of bounds.
      if (entry.isDirectory() && !skipped.has(entry.name) && !isDatabase(entry.name)) {
        if (depth < depthMax) queue.push({ folder: path, depth: depth + 1 });
      } else if (entry.isFile() && path !== own) {
        const holds = keyIn(path, publicKey);
        if (holds) found.copies.push({ path, holds });
      }
    }
  }
  return found;
}

async function* entriesOf(folder: string): AsyncGenerator<Dirent> {
  try {
    yield* await opendir(folder);
  } catch {
    // Gone meanwhile, or not ours to read.
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
export function copyFindings(
  { folders, copies, entries, cut }: Search,
  gaiadHome: string,
  signs: boolean,
): Finding[] {
  const inGaiad = (path: string) => path.startsWith(`${resolve(gaiadHome)}/`);
  const findings = copies.map(({ path, holds }): Finding => {
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
    return inGaiad(path)
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
  if (findings.length > 0) return findings;
  return [
    {
      check: 'copies',
      level: 'well',
      // A clean answer for places that nobody looked at would be the worst one.
      text: `no other copy of the key among ${entries} files and folders below ${folders.join(', ')}; elsewhere by --look`,
    },
  ];
}
