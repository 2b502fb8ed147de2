/** `beam init`: writes a server's own two files. Key, CSR and registration are certs-scripts' part. */

import { access, mkdir, readlink, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import TOML from '@iarna/toml';
import * as z from 'zod';
import { configFile, homePaths, type NodeFile, nodeFile, parseConfig } from '../../protocol/config.ts';
import { writeFileAtomically } from '../home/atomic-file.ts';

export interface InitOptions {
  /** The Beam home; made where it is missing. */
  home: string;
  node: NodeFile;
  /** As it stands in the file: what is left out keeps its default. */
  config: z.input<typeof configFile>;
  /** Writes over files that are there. */
  force?: boolean;
}

/** Raised where `init` would write over an operator's file. */
export class HomeExistsError extends Error {
  override readonly name = 'HomeExistsError';
}

const setGidBit = 0o2000;

const configHead = `# Beam: this server's settings. \`beam start\` reads them; unknown keys are errors.
# Paths are relative to this folder.

`;
const nodeHead = '# Beam: which server of which fleet this is.\n\n';

/**
 * @returns the absolute paths of the files written.
 * @throws ConfigError where a setting is wrong, HomeExistsError where a file is there and `force` is not given.
 */
export async function initHome({ home, node, config, force = false }: InitOptions): Promise<string[]> {
  const root = resolve(home);
  const files = [
    // The mode stands in the file even where it is the default: it is the first thing to know of a server.
    {
      path: join(root, homePaths.config),
      schema: configFile,
      content: { mode: 'sign', ...config },
      head: configHead,
    },
    { path: join(root, homePaths.node), schema: nodeFile, content: node, head: nodeHead },
  ];
  for (const { path, schema, content } of files) parseConfig(schema, content, path);
  for (const { path } of files) {
    if (!force && (await exists(path))) {
      throw new HomeExistsError(`${path} is there already; give --force to write over it, or another --home`);
    }
  }
  for (const folder of ['', homePaths.certs, homePaths.run, homePaths.state, homePaths.logs]) {
    await mkdir(join(root, folder), { recursive: true, mode: 0o700 });
  }
  // A home with the setgid bit is shared with its group: a signer that runs as a user of its own reads these files, too.
  const mode = (await stat(root)).mode & setGidBit ? 0o640 : 0o600;
  for (const { path, content, head } of files) {
    const text = head + TOML.stringify(tomlTable.parse(plain(content)));
    await writeFileAtomically(await behindLink(path), text, mode);
  }
  return files.map(({ path }) => path);
}

type TomlValue = string | number | boolean | TomlValue[] | { [key: string]: TomlValue };
const tomlValue: z.ZodType<TomlValue> = z.lazy(() =>
  z.union([z.string(), z.number(), z.boolean(), z.array(tomlValue), z.record(z.string(), tomlValue)]),
);
const tomlTable = z.record(z.string(), tomlValue);

/** Without what is undefined: TOML has no word for it. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

/** Beam's package links the two files to /etc/beam: they are written there, and the links stay. */
async function behindLink(path: string): Promise<string> {
  const target = await readlink(path).catch(() => undefined);
  return target === undefined ? path : resolve(dirname(path), target);
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
