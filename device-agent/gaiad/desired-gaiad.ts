/** The `gaiad` shadow's desired state, parsed; what is malformed is told by its path and changes nothing. */

import { type DesiredGaiad, desiredGaiad, type RejectedSetting } from '../../protocol/shadows.ts';
import type { Section } from '../cloud/shadow-document.ts';
import { boundRejected, rejectedSetting } from '../overlay/rejected.ts';

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
  return boundRejected(
    issues.map(({ path, message }) => {
      const at = (value: unknown, key: PropertyKey) => (isObject(value) ? value[String(key)] : undefined);
      return rejectedSetting(path.map(String).join('/') || 'desired', path.reduce(at, desired), message);
    }),
  );
}

/** The schema reads the two files that there are; others must not vanish without a word. */
function unknownFiles(desired: Section | undefined): RejectedSetting[] {
  const config = desired?.config;
  if (!isObject(config)) return [];
  return boundRejected(
    Object.entries(config)
      .filter(([file]) => file !== 'config.toml' && file !== 'app.toml')
      .map(([file, value]) =>
        rejectedSetting(file, value, 'an overlay has config.toml and app.toml, no other files'),
      ),
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
