/** SendDirectMessage of the data API. */

import type { Broker } from '../broker/broker.ts';
import { payloadBytesMax } from '../broker/permissions.ts';
import { hasWildcard, sizeFault } from '../engines/topic-filter.ts';
import { AwsError, invalidRequest, notFound } from '../registry/aws-error.ts';
import { clientIdOf, flag } from './connections-api.ts';
import type { DataHandler, DataRequest } from './data-request.ts';
import { propertiesOf } from './publish-api.ts';

/** AWS: 1 to 15 s, 5 where it is left out. */
const confirmSeconds = { min: 1, max: 15, usual: 5 };

function topicOf({ query }: DataRequest): string {
  const topic = query.get('topic') ?? '';
  const fault =
    topic === '' ? 'is missing' : (sizeFault(topic) ?? (hasWildcard(topic) ? 'has wildcards' : undefined));
  if (fault) throw invalidRequest(`The topic ${fault}: ${topic}`);
  if (!topic.startsWith('$')) return topic;
  throw new AwsError(403, 'ForbiddenException', `Topics that start with $ are reserved: ${topic}`);
}

function confirmMsOf(request: DataRequest): { confirmMsMax?: number } {
  if (!flag(request, 'confirmation')) return {};
  const { min, max, usual } = confirmSeconds;
  const seconds = Number(request.query.get('timeout') ?? usual);
  if (Number.isInteger(seconds) && seconds >= min && seconds <= max) return { confirmMsMax: seconds * 1000 };
  throw invalidRequest(`timeout must be ${min} to ${max} seconds: ${request.query.get('timeout')}`);
}

export function directMessageOperation(broker: () => Pick<Broker, 'sendDirect'>): [string, DataHandler] {
  return [
    'SendDirectMessage',
    async (request) => {
      const { body } = request;
      const clientId = clientIdOf(request);
      const topic = topicOf(request);
      if (body.length > payloadBytesMax) {
        throw new AwsError(
          413,
          'RequestEntityTooLargeException',
          `The payload has ${body.length} bytes, more than ${payloadBytesMax}`,
        );
      }
      const properties = propertiesOf(request);
      const outcome = await broker().sendDirect(clientId, topic, body, {
        ...(Object.keys(properties).length === 0 ? {} : { properties }),
        ...confirmMsOf(request),
      });
      switch (outcome) {
        case 'sent':
          return { message: 'OK', traceId: crypto.randomUUID() };
        case 'not connected':
          throw notFound(`The client ${clientId} is not connected`);
        case 'not allowed':
          throw new AwsError(
            403,
            'ForbiddenException',
            `The policies of ${clientId} do not let it receive ${topic}`,
          );
        case 'not taken':
          throw new AwsError(
            429,
            'ThrottlingException',
            `The client ${clientId} takes no more messages before it acknowledged some, or none of this size`,
          );
        case 'not acknowledged':
          throw new AwsError(
            504,
            'GatewayTimeoutException',
            `The client ${clientId} did not acknowledge the message in time`,
          );
      }
    },
  ];
}
