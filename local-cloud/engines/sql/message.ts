/** A message as the SQL sees it. */
import { beyondDouble, type JsonValue, placeBeyondDouble } from '../json-tree.ts';
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
  /** Why no statement can be evaluated on it. */
  payloadFault?: string;
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

type ValueFault = 'levels' | 'number';

function faultOf(value: JsonValue, levels: number): ValueFault | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? undefined : 'number';
  if (typeof value !== 'object' || value === null) return undefined;
  if (levels === 0) return 'levels';
  let found: ValueFault | undefined;
  for (const member of Object.values(value)) {
    const fault = faultOf(member, levels - 1);
    if (fault === 'levels') return fault;
    found ??= fault;
  }
  return found;
}

/**
 * Its payload is undefined where the bytes are not UTF-8, not JSON, or nested beyond any use. A number that no double holds is a fault: left
 * out it would let a WHERE be true that AWS, with 34 digits and exponents up to 999, finds false.
 */
export function readPayload(raw: Buffer): Pick<Message, 'payload' | 'payloadFault'> {
  let payload: JsonValue;
  try {
    payload = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(raw)) as JsonValue;
  } catch {
    return { payload: undefined };
  }
  const fault = faultOf(payload, levelsMax);
  if (fault === undefined) return { payload };
  if (fault === 'levels') return { payload: undefined };
  return { payload: undefined, payloadFault: beyondDouble(placeBeyondDouble(payload) ?? '') };
}
