/** MQTT 5's properties between the broker, the SQL and a republish action's headers. */
import type { MessageProperties as BrokerProperties } from '../broker/records.ts';
import type { MessageProperties } from '../engines/sql/message.ts';
import { sizeFault } from '../engines/topic-filter.ts';

/** As a republish action gives them, filled in. */
export interface MqttHeaders {
  payloadFormatIndicator?: string;
  contentType?: string;
  responseTopic?: string;
  /** base64 */
  correlationData?: string;
  /** Seconds. */
  messageExpiry?: string;
  userProperties?: { key: string; value: string }[];
}

const expirySecondsMax = 0xffff_ffff;

/** What is wrong with a header. */
export const headerFaults: {
  [K in Exclude<keyof MqttHeaders, 'userProperties'>]-?: (text: string) => string | undefined;
} = {
  payloadFormatIndicator: (text) =>
    text === 'UTF8_DATA' || text === 'UNSPECIFIED_BYTES'
      ? undefined
      : 'is neither UTF8_DATA nor UNSPECIFIED_BYTES',
  contentType: () => undefined,
  responseTopic: (text) => sizeFault(text) ?? (/[+#]/.test(text) ? 'has a wildcard' : undefined),
  correlationData: (text) =>
    /^[A-Za-z0-9+/]*={0,2}$/.test(text) && text.length % 4 === 0 ? undefined : 'is not base64',
  messageExpiry: (text) =>
    /^\d{1,10}$/.test(text) && Number(text) <= expirySecondsMax ? undefined : 'is no number of seconds',
};

export function sqlProperties(given: BrokerProperties): MessageProperties {
  const { payloadFormatIndicator, contentType, responseTopic, correlationData, userProperties } = given;
  return {
    ...(payloadFormatIndicator && { isUtf8: true }),
    ...(contentType !== undefined && { contentType }),
    ...(responseTopic !== undefined && { responseTopic }),
    ...(correlationData !== undefined && { correlationData: correlationData.toString('base64') }),
    ...(userProperties && {
      userProperties: Object.entries(userProperties).flatMap(([key, values]) =>
        [values].flat().map((value): [string, string] => [key, value]),
      ),
    }),
  };
}

/** @param headers without faults */
export function publishOptions(headers: MqttHeaders): {
  properties?: BrokerProperties;
  expirySeconds?: number;
} {
  const { payloadFormatIndicator, contentType, responseTopic, correlationData, messageExpiry } = headers;
  const userProperties: Record<string, string | string[]> = Object.create(null);
  for (const { key, value } of headers.userProperties ?? []) {
    const before = userProperties[key];
    userProperties[key] = before === undefined ? value : [...[before].flat(), value];
  }
  const properties: BrokerProperties = {
    ...(payloadFormatIndicator !== undefined && {
      payloadFormatIndicator: payloadFormatIndicator === 'UTF8_DATA',
    }),
    ...(contentType !== undefined && { contentType }),
    ...(responseTopic !== undefined && { responseTopic }),
    ...(correlationData !== undefined && { correlationData: Buffer.from(correlationData, 'base64') }),
    ...(Object.keys(userProperties).length > 0 && { userProperties }),
  };
  return {
    ...(Object.keys(properties).length > 0 && { properties }),
    ...(messageExpiry !== undefined && { expirySeconds: Number(messageExpiry) }),
  };
}
