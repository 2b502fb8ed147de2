/** What invokes the peers function: changes of `status` and `gaiad` shadows, and the schedule. */

import * as z from 'zod';
import { parseThingName } from '../../protocol/names.ts';
import { isOwnToken } from '../aws/shadows.ts';

/** The part of a node's report from which peers are derived. */
const dialled = z
  .object({ nodeId: z.unknown(), p2p: z.unknown(), kind: z.unknown(), outsidePeers: z.unknown() })
  .partial();
const side = z.object({ state: z.object({ reported: dialled.optional() }).partial().optional() }).optional();
/** Whether a `gaiad` shadow has an overlay at all. */
const overlaid = z
  .object({
    state: z
      .object({ desired: z.object({ config: z.unknown() }).partial().optional() })
      .partial()
      .optional(),
  })
  .optional();
const sent = { sender: z.string(), receivedAt: z.number() };

const peersEvent = z.discriminatedUnion('trigger', [
  z.object({ trigger: z.literal('status-documents'), ...sent, previous: side, current: side }),
  z.object({
    trigger: z.literal('gaiad-documents'),
    ...sent,
    clientToken: z.string().optional(),
    previous: overlaid,
    current: overlaid,
  }),
  z.object({ trigger: z.literal('sweep') }),
]);

export type PeersInvocation =
  | { kind: 'fleet'; fleet: string; receivedAt: number }
  | { kind: 'sweep' }
  /** Another thing's shadow, or a report that changes no peers. */
  | { kind: 'none' }
  | { kind: 'fault'; fault: string };

export function parseEvent(event: unknown): PeersInvocation {
  const parsed = peersEvent.safeParse(event);
  if (!parsed.success) return { kind: 'fault', fault: z.prettifyError(parsed.error) };
  const { data } = parsed;
  if (data.trigger === 'sweep') return { kind: 'sweep' };
  const fleet = parseThingName(data.sender)?.fleet;
  if (fleet === undefined) return { kind: 'none' };
  if (data.trigger === 'status-documents') {
    const text = (of: z.infer<typeof side>) => {
      const { nodeId, p2p, kind, outsidePeers } = of?.state?.reported ?? {};
      return JSON.stringify([nodeId, p2p, kind, outsidePeers]);
    };
    if (text(data.previous) === text(data.current)) return { kind: 'none' };
  }
  if (data.trigger === 'gaiad-documents') {
    // Commander's own write; or a report of a node that has no overlay, which no roll-out waits for.
    const config = [data.previous, data.current].map((side) => side?.state?.desired?.config);
    if (isOwnToken(data.clientToken) || config.every((one) => one === undefined)) return { kind: 'none' };
  }
  return { kind: 'fleet', fleet, receivedAt: data.receivedAt };
}
