/** Compiles the TypeScript of documents, as `npm run lint` compiles the code. */

import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Book } from './checks.ts';

/** @returns the compiler's errors, with file and line in the document */
export function typescriptFaults(root: string, book: Book): string[] {
  // Below node_modules/, so that the packages are found.
  const folder = join(root, 'node_modules/.cache/beam-book', String(process.pid));
  const places = new Map<string, { file: string; line: number }>();
  mkdirSync(folder, { recursive: true });
  try {
    for (const [file, { blocks }] of book) {
      for (const { language, line, text } of blocks) {
        if (language !== 'ts') continue;
        const name = `example${places.size}.ts`;
        places.set(name, { file, line });
        // Each is a module of its own: names in one are not those of another.
        writeFileSync(join(folder, name), `${text}\nexport {};\n`);
      }
    }
    if (places.size === 0) return [];
    const config = { extends: join(root, 'tsconfig.json'), include: ['*.ts'], exclude: [] };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
    const tsc = join(root, 'node_modules/typescript/bin/tsc');
    const args = [tsc, '-p', folder, '--noEmit', '--pretty', 'false'];
    const { status, stdout } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' });
    if (status === 0) return [];
    return stdout
      .trim()
      .split('\n')
      .map((text) => {
        const [, name = '', line, what] = /^(?:.*\/)?(example\d+\.ts)\((\d+),\d+\): (.*)$/.exec(text) ?? [];
        const place = places.get(name);
        return place ? `${place.file}:${place.line + Number(line) - 1}: ${what}` : text;
      });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
