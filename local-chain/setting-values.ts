/** Reads one setting's value as gaiad does: leniently between numbers, texts and booleans, and no further. */

import type { SettingKind } from './config-keys.ts';
import { logLevels } from './log.ts';

const nodeIdPattern = /^[0-9a-f]{40}$/;

/** Raised for a value that gaiad would refuse; says only what is wrong with it. */
export class SettingError extends Error {
  override readonly name = 'SettingError';
}

function describe(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (value !== null && typeof value === 'object') return 'a table';
  return `${typeof value === 'string' ? 'the text' : ''} ${JSON.stringify(value)}`.trim();
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'bigint') return String(value);
  if (typeof value === 'boolean') return value ? '1' : '0';
  throw new SettingError(`must be a text, not ${describe(value)}`);
}

function boolOf(value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  if (typeof value === 'number' || typeof value === 'bigint') return Number(value) !== 0;
  if (typeof value === 'string') {
    if (['', '0', 'f', 'F', 'false', 'False', 'FALSE'].includes(value)) return false;
    if (['1', 't', 'T', 'true', 'True', 'TRUE'].includes(value)) return true;
  }
  throw new SettingError(`must be true or false, not ${describe(value)}`);
}

function numberOf(value: unknown): number {
  if (typeof value === 'number' || typeof value === 'bigint') return Number(value);
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (typeof value === 'string' && /^[+-]?\d*$/.test(value)) return Number(value === '' ? 0 : value);
  throw new SettingError(`must be a number, not ${describe(value)}`);
}

function wholeOf(value: unknown): number {
  const number = numberOf(value);
  if (!Number.isFinite(number)) throw new SettingError(`must be a whole number, not ${describe(value)}`);
  return Math.trunc(number);
}

const unitMs: Record<string, number> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/** Go's durations, in ms: '1h2m3.5s'. A bare number is nanoseconds, as Go reads it. */
export function durationMs(value: unknown): number {
  if (typeof value === 'number' || typeof value === 'bigint') return notNegative(Number(value) / 1e6, value);
  if (typeof value !== 'string')
    throw new SettingError(`must be a duration such as "3s", not ${describe(value)}`);
  const match = /^([+-]?)((?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|ms|s|m|h))+|0)$/.exec(value);
  if (!match?.[2]) {
    const missing = /^\d+(\.\d+)?$/.test(value) ? ': its unit is missing' : '';
    throw new SettingError(`must be a duration such as "3s", not ${describe(value)}${missing}`);
  }
  let ms = 0;
  for (const [, amount, unit] of match[2].matchAll(/(\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h)/g)) {
    ms += Number(amount) * (unitMs[unit ?? ''] ?? 0);
  }
  return notNegative(match[1] === '-' ? -ms : ms, value);
}

function notNegative(number: number, value: unknown): number {
  if (number < 0) throw new SettingError(`can't be negative (${describe(value)})`);
  return number;
}

export type ListenAddress = { kind: 'tcp'; host: string; port: number } | { kind: 'unix'; path: string };

/** `tcp://host:port` or `unix://path`; undefined for an empty text. */
export function listenAddress(value: unknown): ListenAddress | undefined {
  const text = textOf(value);
  if (text === '') return undefined;
  const unix = /^unix:\/\/(.+)$/.exec(text);
  if (unix?.[1]) return { kind: 'unix', path: unix[1] };
  const tcp = /^tcp:\/\/(\[[0-9a-fA-F:]+\]|[^:/\s]*):(\d{1,5})$/.exec(text);
  const port = Number(tcp?.[2]);
  if (!tcp || port > 65_535) {
    throw new SettingError(
      `invalid listening address ${text} (use fully formed addresses, including the tcp:// or unix:// prefix)`,
    );
  }
  return { kind: 'tcp', host: (tcp[1] ?? '').replace(/^\[|\]$/g, ''), port };
}

export interface PeerAddress {
  id: string;
  host: string;
  port: number;
}

const listOf = (value: unknown): string[] =>
  textOf(value)
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');

/** `id@host:port,…` */
export function peerAddresses(value: unknown): PeerAddress[] {
  return listOf(value).map((text) => {
    const match = /^(?:[a-z]+:\/\/)?([^@]*)@(\[[0-9a-fA-F:]+\]|[^:\s]+):(\d{1,5})$/.exec(text);
    if (!match) throw new SettingError(`'${text}' is no peer: it must be id@host:port`);
    const [, id = '', host = '', port] = match;
    if (!nodeIdPattern.test(id)) throw new SettingError(`'${text}': a node id has 40 digits of 0-9 and a-f`);
    if (Number(port) > 65_535 || Number(port) === 0) throw new SettingError(`'${text}': no port is ${port}`);
    return { id, host: host.replace(/^\[|\]$/g, ''), port: Number(port) };
  });
}

function checkLogLevel(value: unknown): string {
  const text = textOf(value);
  for (const part of listOf(text)) {
    const level = part.includes(':') ? part.slice(part.indexOf(':') + 1) : part;
    if (![...logLevels, 'none'].includes(level.toLowerCase())) {
      throw new SettingError(`unknown log level '${level}'; one of ${logLevels.join(', ')}, none`);
    }
  }
  return text;
}

/** @throws SettingError where gaiad would refuse `value`. */
export function readSetting(kind: SettingKind, value: unknown): unknown {
  switch (kind) {
    case 'string':
      return textOf(value);
    case 'bool':
      return boolOf(value);
    case 'integer':
      return wholeOf(value);
    case 'count':
      return notNegative(wholeOf(value), value);
    case 'duration':
      return durationMs(value);
    case 'strings':
      if (typeof value === 'string') return listOf(value);
      if (!Array.isArray(value)) throw new SettingError(`must be a list, not ${describe(value)}`);
      return value.map(textOf);
    case 'address':
      return listenAddress(value);
    case 'peers':
      return peerAddresses(value);
    case 'nodeIds':
      for (const id of listOf(value)) {
        if (!nodeIdPattern.test(id))
          throw new SettingError(`'${id}' is no node id: 40 digits of 0-9 and a-f`);
      }
      return listOf(value);
    case 'logLevel':
      return checkLogLevel(value);
    case 'any':
      return value;
    default: {
      const text = textOf(value);
      if (!kind.includes(text)) {
        throw new SettingError(
          `unknown value '${text}'; one of ${kind.filter((name) => name !== '').join(', ')}`,
        );
      }
      return text;
    }
  }
}
