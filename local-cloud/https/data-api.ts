/** The data API: shadows and publishing over HTTPS. Payloads go in and out as they are. */

import type { Broker } from '../broker/broker.ts';
import { living } from '../engines/shadow.ts';
import { type ShadowKey, shadowNamePattern, thingNamePattern } from '../engines/shadow-request.ts';
import { AwsError, invalidRequest, notFound } from '../registry/aws-error.ts';
import type { ShadowService } from '../shadow-service.ts';
import { pairKey, type Store } from '../store/store.ts';
import { connectionOperations } from './connections-api.ts';
import type { DataHandler, DataRequest } from './data-request.ts';
import { directMessageOperation } from './direct-message-api.ts';
import { page } from './page.ts';
import { publishOperation } from './publish-api.ts';

/** Error types of the data API by the shadow service's codes. */
const errorTypes = new Map([
  [400, 'InvalidRequestException'],
  [404, 'ResourceNotFoundException'],
  [409, 'ConflictException'],
  [413, 'RequestEntityTooLargeException'],
  [415, 'UnsupportedDocumentEncodingException'],
  [429, 'ThrottlingException'],
]);

const retainedPageSizeMax = 200;

function keyOf({ labels, query }: DataRequest): ShadowKey {
  const thing = labels.thingName ?? '';
  const shadow = query.get('name') ?? undefined;
  if (!thingNamePattern.test(thing)) throw invalidRequest(`Invalid thing name: ${thing}`);
  if (shadow === undefined) return { thing };
  if (!shadowNamePattern.test(shadow)) throw invalidRequest(`Invalid shadow name: ${shadow}`);
  return { thing, shadow };
}

/** As AWS shows them: one object a property, of a name that comes again several. */
function userPropertyList(properties: Readonly<Record<string, string | string[]>>): Record<string, string>[] {
  return Object.entries(properties).flatMap(([name, values]) =>
    [values].flat().map((value) => ({ [name]: value })),
  );
}

export function dataOperations(
  store: Store,
  shadows: ShadowService,
  broker: () => Pick<Broker, 'publish' | 'sendDirect' | 'disconnect' | 'connectionOf'>,
  nowMs: () => number,
): Map<string, DataHandler> {
  const shadowHandler =
    (operation: 'get' | 'update' | 'delete'): DataHandler =>
    async (request) => {
      const payload = operation === 'update' ? request.body : Buffer.alloc(0);
      const answer = await shadows.request(keyOf(request), operation, payload, { via: 'https' });
      if (answer.tail.endsWith('/accepted')) return JSON.stringify(answer.payload);
      const code = Number(answer.payload.code);
      throw new AwsError(
        code,
        errorTypes.get(code) ?? 'InternalFailureException',
        String(answer.payload.message),
      );
    };

  return new Map<string, DataHandler>([
    ['GetThingShadow', shadowHandler('get')],
    ['UpdateThingShadow', shadowHandler('update')],
    ['DeleteThingShadow', shadowHandler('delete')],
    [
      'ListNamedShadowsForThing',
      ({ labels, query }) => {
        const thing = labels.thingName ?? '';
        if (!thingNamePattern.test(thing)) throw invalidRequest(`Invalid thing name: ${thing}`);
        const size = Number(query.get('pageSize') ?? 25);
        if (!Number.isInteger(size) || size < 1 || size > 100)
          throw invalidRequest('pageSize must be 1 to 100');
        const names = shadows.namedShadowsOf(thing);
        const known = store.things.has(thing) || living(store.shadows.get(pairKey(thing, ''))) !== undefined;
        if (names.length === 0 && !known) throw notFound(`Thing ${thing} not found`);
        // The token is the last name that was given out: what is deleted meanwhile makes no gap.
        const token = query.get('nextToken') ?? '';
        const after = Buffer.from(token, 'base64url').toString();
        if (token !== '' && !shadowNamePattern.test(after))
          throw invalidRequest('The page token is not valid');
        const rest = names.filter((name) => name > after);
        const results = rest.slice(0, size);
        const last = rest.length > size ? results.at(-1) : undefined;
        return {
          results,
          nextToken: last === undefined ? undefined : Buffer.from(last).toString('base64url'),
          timestamp: Math.floor(nowMs() / 1000),
        };
      },
    ],
    publishOperation(broker),
    directMessageOperation(broker),
    ...connectionOperations(broker),
    [
      'GetRetainedMessage',
      ({ labels }) => {
        const topic = labels.topic ?? '';
        const record = store.retained.get(topic);
        if (!record) throw notFound(`No retained message on ${topic}`);
        const { payload, qos, atMs, properties } = record;
        const userProperties = userPropertyList(properties?.userProperties ?? {});
        return {
          topic,
          payload,
          qos,
          lastModifiedTime: atMs,
          userProperties:
            userProperties.length === 0
              ? null
              : Buffer.from(JSON.stringify(userProperties)).toString('base64'),
        };
      },
    ],
    [
      'ListRetainedMessages',
      ({ query }) => {
        const size = Number(query.get('maxResults') ?? 25);
        const summaries = [...store.retained.entries()].map(([topic, { payload, qos, atMs }]) => ({
          topic,
          payloadSize: Buffer.from(payload, 'base64').length,
          qos,
          lastModifiedTime: atMs,
        }));
        const { items, next } = page('ListRetainedMessages', summaries, ({ topic }) => topic, {
          token: query.get('nextToken') ?? undefined,
          size,
          sizeMax: retainedPageSizeMax,
        });
        return { retainedTopics: items, nextToken: next };
      },
    ],
  ]);
}
