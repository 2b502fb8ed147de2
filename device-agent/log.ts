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
  // Loaded for terminals alone: on a server it would only cost memory.
  const { default: pretty } = createRequire(import.meta.url)('pino-pretty');
  return pino(options, pretty({ destination: 2, sync: true, ignore: 'pid,hostname,thing' }));
}
