/** A message as the SQL sees it. */
import type { ObjectValue, Value } from './values.ts';

export type RegistryApi = 'DescribeThing' | 'ListThingGroupsForThing';

/** To a service that takes its time. */
export type Question =
  | { call: 'aws_lambda'; functionArn: string; input: Value }
  | { call: 'get_dynamodb'; tableName: string; key: ObjectValue };

/** Of MQTT 5. */
export interface MessageProperties {
  isUtf8?: boolean;
  contentType?: string;
  responseTopic?: string;
  /** base64 */
  correlationData?: string;
  userProperties?: [key: string, value: string][];
}

export interface Message {
  /** Undefined where the bytes are no JSON. */
  payload: Value;
  raw: Buffer;
  /** Without Basic Ingest's prefix. */
  topic: string;
  clientId?: string;
  principal?: string;
  /** The publisher's. */
  sourceIp?: string;
  properties?: MessageProperties;
  traceId: string;
  accountId: string;
  /** When the rules engine received it, ms since the epoch. */
  receivedAt: number;
  /** A random UUID. */
  newUuid(): string;
  /** Uniform in [0, 1). */
  random(): number;
  /** The shadow's document, as its get answers; undefined where there is none. */
  getThingShadow?(thing: string, shadow: string | undefined): ObjectValue | undefined;
  /** What the API answers; undefined where it has nothing. */
  getRegistryData?(api: RegistryApi, thing: string): Value;
  /** Of `answers.ts`. */
  ask?(question: Question): Value;
}

/** A value of more levels would end what walks it, which calls itself once a level. */
const levelsMax = 1000;

function isTooDeep(value: Value, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((member) => isTooDeep(member, levels - 1));
}

/** @returns undefined where the bytes are not UTF-8, not JSON, or nested beyond any use */
export function parsePayload(raw: Buffer): Value {
  try {
    const value: Value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(raw));
    return isTooDeep(value, levelsMax) ? undefined : value;
  } catch {
    return undefined;
  }
}
