/** The pilot's log: JSON lines with ISO times on stderr; pretty where a person reads along. */

import { createRequire } from 'node:module';
import { type Logger, pino } from 'pino';
import type { ConfigFile } from '../protocol/config.ts';

export type { Logger };

export function openLog(level: ConfigFile['log']['level'], base: Record<string, string>): Logger {
  const options = {
    level,
    base,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  if (!process.stderr.isTTY) return pino(options, pino.destination({ dest: 2, sync: true }));
  // Loaded for terminals alone: on a server it would only cost memory, and Beam's package is without it.
  const require = createRequire(import.meta.url);
  if (!canResolve(require, 'pino-pretty')) return pino(options, pino.destination({ dest: 2, sync: true }));
  const { default: pretty } = require('pino-pretty');
  return pino(options, pretty({ destination: 2, sync: true, ignore: 'pid,hostname,thing' }));
}

function canResolve(require: NodeJS.Require, name: string): boolean {
  try {
    require.resolve(name);
    return true;
  } catch {
    return false;
  }
}
