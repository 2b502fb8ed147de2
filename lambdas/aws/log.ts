/** Commander's log: one JSON object a line on stdout, which CloudWatch and the local Lambda host both keep. */

export type LogLevel = 'info' | 'warn' | 'error';

export function log(level: LogLevel, message: string, fields: Record<string, unknown> = {}): void {
  console[level](JSON.stringify({ time: new Date().toISOString(), level, message, ...fields }));
}
