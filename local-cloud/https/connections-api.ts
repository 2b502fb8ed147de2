/** What the data API does with clients of the broker: who is connected, to what it is subscribed, and its end. */

import type { Broker } from '../broker/broker.ts';
import { invalidRequest, notFound } from '../registry/aws-error.ts';
import type { DataHandler, DataRequest } from './data-request.ts';
import { page } from './page.ts';

const subscriptionsPageSize = 20;

export function clientIdOf({ labels }: DataRequest): string {
  const clientId = labels.clientId ?? '';
  if (clientId === '' || clientId.startsWith('$')) throw invalidRequest(`Invalid client id: ${clientId}`);
  return clientId;
}

const unknown = (clientId: string) => notFound(`The client ${clientId} is not connected, and has no session`);

/** AWS's examples write TRUE, its SDK writes true. */
export function flag({ query }: DataRequest, name: string): boolean {
  const text = query.get(name)?.toLowerCase() ?? 'false';
  if (text !== 'true' && text !== 'false') throw invalidRequest(`${name} must be true or false: ${text}`);
  return text === 'true';
}

export function connectionOperations(
  broker: () => Pick<Broker, 'disconnect' | 'connectionOf'>,
): Map<string, DataHandler> {
  return new Map<string, DataHandler>([
    [
      'DeleteConnection',
      (request) => {
        const clientId = clientIdOf(request);
        const options = {
          cleanSession: flag(request, 'cleanSession'),
          preventWill: flag(request, 'preventWillMessage'),
        };
        if (!broker().disconnect(clientId, options)) throw unknown(clientId);
        return '';
      },
    ],
    [
      'GetConnection',
      (request) => {
        const clientId = clientIdOf(request);
        const found = broker().connectionOf(clientId);
        if (!found) throw unknown(clientId);
        const { subscriptions: _, sourceIp, ...connection } = found;
        const wantsSocket = flag(request, 'includeSocketInformation');
        return { clientId, ...connection, ...(wantsSocket && sourceIp !== undefined ? { sourceIp } : {}) };
      },
    ],
    [
      'ListSubscriptions',
      (request) => {
        const clientId = clientIdOf(request);
        const found = broker().connectionOf(clientId);
        if (!found) throw unknown(clientId);
        const size = Number(request.query.get('maxResults') ?? subscriptionsPageSize);
        const { items, next } = page(
          'ListSubscriptions',
          found.subscriptions,
          ({ topicFilter }) => topicFilter,
          { token: request.query.get('nextToken') ?? undefined, size },
        );
        return { subscriptions: items, nextToken: next };
      },
    ],
  ]);
}
