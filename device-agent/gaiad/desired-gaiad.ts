/** The `gaiad` shadow's desired state, parsed; what is malformed is told by its path and changes nothing. */

import { type DesiredGaiad, desiredGaiad, type RejectedSetting } from '../../protocol/shadows.ts';
import type { Section } from '../cloud/shadow-document.ts';
import { rejectedMax } from '../overlay/check-overlay.ts';

export interface ReadDesiredGaiad {
  config: DesiredGaiad;
  run: NonNullable<DesiredGaiad['run']> | undefined;
  rejected: RejectedSetting[];
}

export function readDesiredGaiad(desired: Section | undefined): ReadDesiredGaiad {
  const read = desiredGaiad.safeParse(desired ?? {});
  const rejected = read.success ? unknownFiles(desired) : faults(read.error.issues, desired);
  // One bad half does not take the other along: a server that should stand still does so.
  const { run, config } = read.success ? read.data : partial(desired);
  return { config: config && rejected.length === 0 ? { config } : {}, run, rejected };
}

function partial(desired: Section | undefined): DesiredGaiad {
  const run = desiredGaiad.pick({ run: true }).safeParse({ run: desired?.run });
  return run.success ? run.data : {};
}

function faults(
  issues: readonly { path: PropertyKey[]; message: string }[],
  desired: unknown,
): RejectedSetting[] {
  return issues.slice(0, rejectedMax).map(({ path, message }) => ({
    path: path.map(String).join('/').slice(0, 256) || 'desired',
    value: shown(
      path.reduce<unknown>((value, key) => (isObject(value) ? value[String(key)] : undefined), desired),
    ),
    reason: message.slice(0, 300),
  }));
}

/** The schema reads the two files that there are; others must not vanish without a word. */
function unknownFiles(desired: Section | undefined): RejectedSetting[] {
  const config = desired?.config;
  if (!isObject(config)) return [];
  return Object.entries(config)
    .filter(([file]) => file !== 'config.toml' && file !== 'app.toml')
    .slice(0, rejectedMax)
    .map(([file, value]) => ({
      path: file.slice(0, 256),
      value: shown(value),
      reason: 'an overlay has config.toml and app.toml, no other files',
    }));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function shown(value: unknown): RejectedSetting['value'] {
  const text = JSON.stringify(value) ?? 'null';
  return text.length <= 200 ? JSON.parse(text) : `${text.slice(0, 197)}...`;
}
