/** Publish of the data API: a message to the broker, with the properties of MQTT 5. */

import * as z from 'zod';
import type { Broker } from '../broker/broker.ts';
import { payloadBytesMax } from '../broker/permissions.ts';
import type { MessageProperties } from '../broker/records.ts';
import { parseShadowTopic } from '../engines/shadow-request.ts';
import { hasWildcard, isForRulesOnly, sizeFault } from '../engines/topic-filter.ts';
import { AwsError, invalidRequest } from '../registry/aws-error.ts';
import type { DataHandler, DataRequest } from './data-request.ts';

const headerPrefix = 'x-amz-mqtt5-';
const messageExpirySecondsMax = 0xffff_ffff;
/** `[{"name": "value"}, …]`: the same name may come again. */
const userPropertyList = z.array(z.record(z.string(), z.string()));

function topicOf({ labels }: DataRequest, retain: boolean): string {
  const topic = labels.topic ?? '';
  const fault = sizeFault(topic) ?? (hasWildcard(topic) ? 'has wildcards' : undefined);
  if (fault) throw invalidRequest(`The topic ${fault}: ${topic}`);
  if (!topic.startsWith('$')) return topic;
  if (retain) throw invalidRequest(`Nothing is retained on a reserved topic: ${topic}`);
  if (parseShadowTopic(topic) || isForRulesOnly(topic)) return topic;
  throw new AwsError(403, 'ForbiddenException', `Topics that start with $ are reserved: ${topic}`);
}

function decoded(base64: string, name: string): Buffer {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(base64)) throw invalidRequest(`${headerPrefix}${name} is not base64`);
  return Buffer.from(base64, 'base64');
}

function userPropertiesOf(base64: string): Record<string, string | string[]> {
  const name = 'user-properties';
  let list: z.infer<typeof userPropertyList>;
  try {
    list = userPropertyList.parse(JSON.parse(decoded(base64, name).toString('utf8')));
  } catch (error) {
    if (error instanceof AwsError) throw error;
    throw invalidRequest(`${headerPrefix}${name} must be a JSON list of objects with strings`);
  }
  const properties: Record<string, string | string[]> = Object.create(null);
  for (const [key, value] of list.flatMap((each) => Object.entries(each))) {
    const before = properties[key];
    properties[key] = before === undefined ? value : [...(Array.isArray(before) ? before : [before]), value];
  }
  return properties;
}

export function propertiesOf({ query, headers }: DataRequest): MessageProperties {
  const properties: MessageProperties = {};
  const header = (name: string) => headers[`${headerPrefix}${name}`];
  const format = header('payload-format-indicator');
  if (format !== undefined) {
    if (format !== 'UTF8_DATA' && format !== 'UNSPECIFIED_BYTES') {
      throw invalidRequest(`${headerPrefix}payload-format-indicator is not valid: ${String(format)}`);
    }
    properties.payloadFormatIndicator = format === 'UTF8_DATA';
  }
  const correlationData = header('correlation-data');
  if (typeof correlationData === 'string') {
    properties.correlationData = decoded(correlationData, 'correlation-data');
  }
  const userProperties = header('user-properties');
  if (typeof userProperties === 'string') properties.userProperties = userPropertiesOf(userProperties);
  const contentType = query.get('contentType');
  if (contentType !== null) properties.contentType = contentType;
  const responseTopic = query.get('responseTopic');
  if (responseTopic !== null) {
    const fault = sizeFault(responseTopic) ?? (hasWildcard(responseTopic) ? 'has wildcards' : undefined);
    if (fault) throw invalidRequest(`The response topic ${fault}: ${responseTopic}`);
    properties.responseTopic = responseTopic;
  }
  return properties;
}

export function publishOperation(broker: () => Pick<Broker, 'publish'>): [string, DataHandler] {
  return [
    'Publish',
    async (request) => {
      const { query, body } = request;
      const retain = query.get('retain') === 'true';
      const topic = topicOf(request, retain);
      if (body.length > payloadBytesMax) {
        throw new AwsError(
          413,
          'RequestEntityTooLargeException',
          `The payload has ${body.length} bytes, more than ${payloadBytesMax}`,
        );
      }
      const qos = query.get('qos') ?? '0';
      if (qos !== '0' && qos !== '1') throw invalidRequest(`qos must be 0 or 1: ${qos}`);
      const expiry = query.get('messageExpiry');
      const expirySeconds = expiry === null ? undefined : Number(expiry);
      if (expirySeconds !== undefined && !(expirySeconds >= 0 && expirySeconds <= messageExpirySecondsMax)) {
        throw invalidRequest(`messageExpiry is not valid: ${expiry}`);
      }
      const properties = propertiesOf(request);
      await broker().publish(topic, body, {
        qos: qos === '1' ? 1 : 0,
        retain,
        ...(request.ipAddress === undefined ? {} : { meta: { ipAddress: request.ipAddress } }),
        ...(Object.keys(properties).length === 0 ? {} : { properties }),
        ...(expirySeconds === undefined ? {} : { expirySeconds }),
      });
      return { message: 'OK', traceId: crypto.randomUUID() };
    },
  ];
}
