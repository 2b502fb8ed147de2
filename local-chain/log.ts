/** A node's log, in gaiad's two formats; every line says that a stand-in speaks. */

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'panic', 'disabled'] as const;
export type LogLevel = (typeof logLevels)[number];
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

export interface Log {
  debug(text: string, fields?: LogFields): void;
  info(text: string, fields?: LogFields): void;
  error(text: string, fields?: LogFields): void;
}

const shortNames = { debug: 'DBG', info: 'INF', error: 'ERR' } as const;

export function createLog(options: {
  level: LogLevel;
  format: 'plain' | 'json';
  now(): Date;
  write(line: string): void;
}): Log {
  const { level, format, now, write } = options;
  const speak =
    (severity: keyof typeof shortNames) =>
    (text: string, fields: LogFields = {}) => {
      if (logLevels.indexOf(severity) < logLevels.indexOf(level)) return;
      const time = now().toISOString();
      if (format === 'json') {
        write(`${JSON.stringify({ level: severity, time, module: 'stand-in', message: text, ...fields })}\n`);
        return;
      }
      const pairs = Object.entries(fields)
        .filter(([, value]) => value !== undefined)
        .map(([key, value]) => ` ${key}=${typeof value === 'string' ? JSON.stringify(value) : value}`);
      write(`${time} ${shortNames[severity]} ${text}${pairs.join('')} module=stand-in\n`);
    };
  return { debug: speak('debug'), info: speak('info'), error: speak('error') };
}
