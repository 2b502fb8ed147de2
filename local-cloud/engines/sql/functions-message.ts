/** What a message brings with it. */
import type { SqlFunction } from './function.ts';
import { toInt } from './values.ts';

export const messageFunctions: Record<string, SqlFunction> = {
  accountid: { arity: [0, 0], call: (_, message) => message.accountId },
  clientid: { arity: [0, 0], call: (_, message) => message.clientId ?? 'n/a' },
  get_mqtt_property: {
    arity: [1, 1],
    call([name], { properties = {} }) {
      switch (name) {
        case 'content_type':
          return properties.contentType;
        case 'correlation_data':
          return properties.correlationData;
        case 'format_indicator':
          return properties.isUtf8 ? 'UTF8_DATA' : 'UNSPECIFIED_BYTES';
        case 'response_topic':
          return properties.responseTopic;
        default:
          return undefined;
      }
    },
  },
  /** () all of them, one an object; (key) the values of one. */
  get_user_properties: {
    arity: [0, 1],
    call(values, { properties }) {
      const all = properties?.userProperties ?? [];
      if (values.length === 0)
        return all.length === 0 ? undefined : all.map(([key, value]) => ({ [key]: value }));
      const own = all.filter(([key]) => key === values[0]).map(([, value]) => value);
      return own.length === 0 ? undefined : own;
    },
  },
  newuuid: { arity: [0, 0], call: (_, message) => message.newUuid() },
  principal: { arity: [0, 0], call: (_, message) => message.principal },
  sourceip: { arity: [0, 0], call: (_, message) => message.sourceIp },
  sql_version: { arity: [0, 0], call: () => '2016-03-23' },
  timestamp: { arity: [0, 0], call: (_, message) => message.receivedAt },
  topic: {
    arity: [0, 1],
    call(values, message) {
      if (values.length === 0) return message.topic;
      const segment = toInt(values[0]);
      return segment === undefined || segment < 1 ? undefined : message.topic.split('/')[segment - 1];
    },
  },
  traceid: { arity: [0, 0], call: (_, message) => message.traceId },
};
