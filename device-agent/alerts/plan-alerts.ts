/** Troubles that last: told when they begin, again while they go on, and when they are over. A pure core. */

import type { AlertKind } from '../../protocol/topics.ts';
import type { Severity } from '../cloud/messages.ts';

export interface Trouble {
  kind: AlertKind;
  severity: Exclude<Severity, 'info'>;
  /** What happened, to what, what to do next. */
  text: string;
}

export interface AlertToSend {
  kind: AlertKind;
  severity: Severity;
  text: string;
}

/** By kind: one trouble of a kind at a time. */
export type AlertMemory = Readonly<
  Partial<Record<AlertKind, { severity: Severity; text: string; toldAtMs: number }>>
>;

export const alertRepeatMs = 10 * 60_000;
/** Words that change each second must not tell the same trouble each second. */
const rewordedMs = 30_000;

export function planAlerts(
  troubles: readonly Trouble[],
  memory: AlertMemory,
  nowMs: number,
): { alerts: AlertToSend[]; memory: AlertMemory } {
  const alerts: AlertToSend[] = [];
  const next: Partial<Record<AlertKind, { severity: Severity; text: string; toldAtMs: number }>> = {};
  for (const { kind, severity, text } of troubles) {
    if (next[kind]) continue;
    const told = memory[kind];
    const sinceMs = told ? nowMs - told.toldAtMs : Number.POSITIVE_INFINITY;
    const news = told?.severity !== severity || (told.text !== text && sinceMs >= rewordedMs);
    if (!told || news || sinceMs >= alertRepeatMs) {
      alerts.push({ kind, severity, text });
      next[kind] = { severity, text, toldAtMs: nowMs };
    } else next[kind] = told;
  }
  for (const [kind, told] of Object.entries(memory) as [AlertKind, { text: string }][]) {
    if (!next[kind]) alerts.push({ kind, severity: 'info', text: `over: ${told.text}` });
  }
  return { alerts, memory: next };
}
