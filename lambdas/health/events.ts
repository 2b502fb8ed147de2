/** What invokes the health function: health messages, and presence events of AWS IoT. */

import * as z from 'zod';
import { parseThingName } from '../../protocol/names.ts';
import { type HealthMessage, healthMessage } from '../../protocol/topics.ts';

const healthEvent = z.discriminatedUnion('trigger', [
  healthMessage.extend({
    trigger: z.literal('health'),
    fleet: z.string(),
    sender: z.string(),
    receivedAt: z.number(),
  }),
  z.object({
    trigger: z.literal('presence'),
    clientId: z.string(),
    eventType: z.enum(['connected', 'disconnected']),
    /** ms */
    timestamp: z.number(),
  }),
]);

export type HealthNews =
  | { kind: 'health'; fleet: string; thing: string; receivedAt: number; message: HealthMessage }
  | { kind: 'presence'; fleet: string; thing: string; connected: boolean; at: number }
  /** A client that is no pilot, an operator's tool for one. */
  | { kind: 'none' }
  | { kind: 'fault'; fault: string };

export function parseEvent(event: unknown): HealthNews {
  const parsed = healthEvent.safeParse(event);
  if (!parsed.success) return { kind: 'fault', fault: z.prettifyError(parsed.error) };
  const { data } = parsed;
  if (data.trigger === 'presence') {
    const fleet = parseThingName(data.clientId)?.fleet;
    if (fleet === undefined) return { kind: 'none' };
    return {
      kind: 'presence',
      fleet,
      thing: data.clientId,
      connected: data.eventType === 'connected',
      at: data.timestamp,
    };
  }
  const { trigger: _, sender, fleet, receivedAt, ...message } = data;
  if (message.thing !== sender || parseThingName(sender)?.fleet !== fleet) {
    return { kind: 'fault', fault: `${fleet}/${sender} speaks for ${message.thing}` };
  }
  return { kind: 'health', fleet, thing: sender, receivedAt, message };
}
