/** What a data folder holds beside its store: credentials, and whatever else lies in it as files. */

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** Made anew at a start, told by it, or of a former format. */
const notKept = [/^store$/, /^cloud\.lmdb/, /^dynamodb$/, /^logs$/, /^functions$/, /\.sock$/, /\.tmp$/];

export interface KeptFile {
  /** Below the folder, with `/`. */
  path: string;
  mode: number;
  data: Buffer;
}

export function* filesOf(dataDir: string, below = ''): Generator<KeptFile> {
  for (const entry of readdirSync(join(dataDir, below), { withFileTypes: true })) {
    if (notKept.some((pattern) => pattern.test(entry.name))) continue;
    const path = below === '' ? entry.name : `${below}/${entry.name}`;
    if (entry.isDirectory()) yield* filesOf(dataDir, path);
    else if (entry.isFile()) {
      const whole = join(dataDir, path);
      yield { path, mode: statSync(whole).mode & 0o777, data: readFileSync(whole) };
    }
  }
}
