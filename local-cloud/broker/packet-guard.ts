/**
 * Stands between a client's parser and aedes. mqtt-packet hands out malformed packets too (a SUBSCRIBE without
 * filters, after its error), and aedes throws on them, which would end the process. And aedes does not tell two things
 * that the broker must know: how many filters a SUBSCRIBE has, and that a client said goodbye.
 */

import type { EventEmitter } from 'node:events';
import type { Client } from 'aedes';
import * as z from 'zod';

/** aedes keeps filters as keys of plain objects. */
const filter = z
  .string()
  .min(1)
  .refine((text) => !(text in {}), 'a filter that is a name of the prototype');
const qos = z.union([z.literal(0), z.literal(1), z.literal(2)]);
const soundPacket = z.discriminatedUnion('cmd', [
  z.looseObject({ cmd: z.literal('connect'), clientId: z.string() }),
  z.looseObject({
    cmd: z.literal('publish'),
    topic: z.string(),
    payload: z.union([z.instanceof(Uint8Array), z.string()]),
    qos,
  }),
  z.looseObject({
    cmd: z.literal('subscribe'),
    messageId: z.number(),
    subscriptions: z.array(z.looseObject({ topic: filter, qos })).min(1),
  }),
  z.looseObject({
    cmd: z.literal('unsubscribe'),
    messageId: z.number(),
    unsubscriptions: z.array(filter).min(1),
  }),
  ...(['puback', 'pubrec', 'pubrel', 'pubcomp'] as const).map((cmd) =>
    z.looseObject({ cmd: z.literal(cmd), messageId: z.number() }),
  ),
  ...(['pingreq', 'disconnect', 'auth'] as const).map((cmd) => z.looseObject({ cmd: z.literal(cmd) })),
]);
export type SoundPacket = z.infer<typeof soundPacket>;

/** aedes keeps it as `_parser`; its packets have one listener, aedes itself. */
function parserOf(client: Client): EventEmitter {
  const parser: unknown = Reflect.get(client, '_parser');
  if (typeof parser === 'object' && parser !== null && 'listeners' in parser) return parser as EventEmitter;
  throw new Error('aedes has changed: a client has no _parser. Use the version that package.json names.');
}

/**
 * @param passes sees each sound packet first; false keeps it from aedes
 * @param failed a packet that is not sound, or that aedes failed on
 */
export function guardPackets(
  client: Client,
  passes: (packet: SoundPacket) => boolean,
  failed: (error: Error) => void,
): void {
  const parser = parserOf(client);
  const [handle] = parser.listeners('packet');
  if (!handle) throw new Error('aedes has changed: it does not listen to its parser.');
  parser.removeAllListeners('packet');
  let isOver = false;
  parser.on('packet', (packet: unknown) => {
    if (isOver) return;
    const parsed = soundPacket.safeParse(packet);
    try {
      if (!parsed.success) throw new Error(`malformed packet: ${parsed.error.issues[0]?.message}`);
      if (passes(parsed.data)) handle.call(parser, packet);
    } catch (error) {
      isOver = true;
      failed(error instanceof Error ? error : new Error(String(error)));
    }
  });
}
