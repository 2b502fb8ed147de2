/** Beam's own TOML files, read with errors that name file, line and column. */

import { readFile } from 'node:fs/promises';
import TOML from '@iarna/toml';
import type * as z from 'zod';
import { ConfigError, parseConfig } from '../../protocol/config.ts';
import { errorCode } from './error-code.ts';

/** What @iarna/toml throws; lines and columns count from 0. */
interface TomlSyntaxError extends Error {
  fromTOML: true;
  line: number;
  col: number;
}

function isTomlSyntaxError(error: unknown): error is TomlSyntaxError {
  return error instanceof Error && 'fromTOML' in error;
}

/** @throws ConfigError */
export function parseToml(text: string, file: string): unknown {
  try {
    return TOML.parse(text);
  } catch (error) {
    if (!isTomlSyntaxError(error)) throw error;
    const [what] = error.message.split(/ at row \d+|\n/);
    const place = `line ${error.line + 1}, column ${error.col + 1}`;
    throw new ConfigError(file, [`${place}: not TOML: ${what}`], { cause: error });
  }
}

/**
 * @param remedy what to do where the file is missing.
 * @throws ConfigError
 */
export async function readTomlFile<T extends z.ZodType>(
  schema: T,
  file: string,
  remedy: string,
): Promise<z.output<T>> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    const code = errorCode(error);
    throw new ConfigError(
      file,
      [
        code === 'ENOENT'
          ? `there is no such file; ${remedy}`
          : `can't be read (${code}); run this as the user whose home it is`,
      ],
      { cause: error },
    );
  }
  return parseConfig(schema, parseToml(text, file), file);
}
