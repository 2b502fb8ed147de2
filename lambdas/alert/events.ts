/** What invokes the alert function: alerts of pilots and of Commander, and what a rule's action failed at. */

import * as z from 'zod';
import { parseThingName } from '../../protocol/names.ts';
import { alertKinds, alertMessage } from '../../protocol/topics.ts';
import type { Alert } from './channel.ts';

const alertEvent = alertMessage.extend({
  trigger: z.literal('alert'),
  fleet: z.string(),
  sender: z.string(),
  kind: z.string().max(64),
  receivedAt: z.number(),
});

/** AWS IoT's message to a rule's errorAction. */
const ruleError = z.object({
  ruleName: z.string().max(128),
  topic: z.string().max(256).optional(),
  failures: z
    .array(z.object({ failedAction: z.string(), failedResource: z.string(), errorMessage: z.string() }))
    .max(20),
});

/** `id`: by which a repeat is known; undefined where there is none. */
export type AlertNews = { alert: Alert; id: string | undefined } | { fault: string };

export function parseEvent(event: unknown, now: number): AlertNews {
  const failed = ruleError.safeParse(event);
  if (failed.success) {
    const { ruleName, topic, failures } = failed.data;
    const what = failures
      .map(({ failedAction, errorMessage }) => `${failedAction}: ${errorMessage}`)
      .join('; ');
    const thing = topic?.split('/').find((part) => parseThingName(part) !== undefined) ?? '';
    return {
      id: undefined,
      alert: {
        fleet: parseThingName(thing)?.fleet ?? '',
        thing,
        kind: 'rule-failed',
        severity: 'critical',
        text: `Rule ${ruleName} could not hand on a message of ${topic ?? 'an unknown topic'}: ${what}`.slice(
          0,
          1000,
        ),
        receivedAt: now,
      },
    };
  }
  const parsed = alertEvent.safeParse(event);
  if (!parsed.success) return { fault: z.prettifyError(parsed.error) };
  const { thing, sender, fleet, kind, severity, text, data, bootId, seq, receivedAt } = parsed.data;
  if (thing !== sender || parseThingName(sender)?.fleet !== fleet) {
    return { fault: `${fleet}/${sender} speaks for ${thing}` };
  }
  if (!alertKinds.some((known) => known === kind)) return { fault: `${kind} is no kind of alert` };
  return {
    id: `${bootId}/${seq}`,
    alert: { fleet, thing, kind, severity, text, receivedAt, ...(data ? { data } : {}) },
  };
}
