/** MQTT topics and what travels on them, from the typed map of topics. */

import type * as z from 'zod';
import {
  alertKinds,
  alertMessage,
  eventKinds,
  healthMessage,
  messageBytesMax,
  plainEvent,
  roleRequestEvent,
  signerSummary,
  topics,
} from '../../../protocol/topics.ts';
import { readSource, schemaTable } from './schema-table.ts';
import { listedComments } from './source-comments.ts';
import { code, page, table } from './tables.ts';

const file = 'protocol/topics.ts';

export function messagesPage(root: string): string {
  const named = new Map<z.ZodType, string>([[signerSummary, 'signer summary']]);
  const of = (schema: z.ZodType, ...names: string[]) =>
    schemaTable({ root, schema, named, declared: [{ file, names: [...names, 'envelope'] }] });
  const source = readSource(root, file);
  const kinds = (declaration: string, known: readonly string[]) =>
    listedComments(source, declaration)
      .filter(({ name }) => known.includes(name))
      .map(({ name, text }) => [code(name), text]);
  return page(
    'Messages',
    `A pilot publishes below \`beam/<fleet>/<thing>/\`, and its policy lets it publish nowhere else but to its own shadows. A message is a JSON object of ` +
      `at most ${messageBytesMax} bytes, sent at QoS 1, so it may come twice: \`bootId\` and \`seq\` tell a repeat.`,
    table(
      ['topic', 'message'],
      [
        [code(topics.health('<fleet>', '<thing>')), '[health](#health)'],
        [code(`beam/<fleet>/<thing>/event/role-request`), '[a request for the role](#event-role-request)'],
        [code(`beam/<fleet>/<thing>/event/<kind>`), '[an event](#other-events)'],
        [code(`beam/<fleet>/<thing>/alert/<kind>`), '[an alert](#alerts), of a pilot or of Commander'],
        [code('$aws/things/<thing>/shadow/name/<shadow>/…'), '[shadows](shadows.md)'],
        [code('$aws/events/presence/{connected,disconnected}/<thing>'), "AWS IoT's own, of each connection"],
      ],
    ),
    `An operator's tool hears a fleet by \`${topics.fleetAll('<fleet>')}\`.`,
    '## Health',
    of(healthMessage, 'healthMessage'),
    '## Signer summary',
    schemaTable({ root, schema: signerSummary, named, declared: [{ file, names: ['signerSummary'] }] }),
    'The codes are those of [the signer](signer.md#refusals).',
    '## Event role-request',
    of(roleRequestEvent, 'roleRequestEvent'),
    '## Other events',
    table(['kind', 'when'], kinds('eventKinds', eventKinds)),
    of(plainEvent, 'plainEvent'),
    '## Alerts',
    'What to do at each: [alerts](../alerts.md).',
    table(['kind', 'when'], kinds('alertKinds', alertKinds)),
    of(alertMessage, 'alertMessage'),
  );
}
