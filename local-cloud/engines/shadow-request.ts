/** What the Device Shadow service accepts: topics, names and update documents, with AWS's refusals. */

import {
  beyondDouble,
  isObject,
  type JsonObject,
  type JsonValue,
  own,
  placeBeyondDouble,
} from './json-tree.ts';

export const thingNamePattern = /^[a-zA-Z0-9:_-]{1,128}$/;
export const shadowNamePattern = /^[a-zA-Z0-9:_-]{1,64}$/;
const clientTokenBytesMax = 64;
/** Levels of a section (`desired` is the first) that the service takes. */
const depthMax = 6;
/** Deeper than this is refused before it is walked at all. */
const parseDepthMax = 64;

export const shadowOperations = ['get', 'update', 'delete'] as const;
export type ShadowOperation = (typeof shadowOperations)[number];

/** The error's code is an HTTP status; the message is AWS's own wording. */
export interface ShadowRefusal {
  code: 400 | 404 | 409 | 413 | 415 | 429 | 500;
  message: string;
}

export interface ShadowKey {
  thing: string;
  /** undefined is the classic shadow. */
  shadow?: string;
}

export type SectionName = 'desired' | 'reported';

export interface UpdateDocument {
  /** As sent. null clears both sections. */
  state: null | { desired?: JsonObject | null; reported?: JsonObject | null };
  version?: number;
  clientToken?: string;
}

export function shadowTopicPrefix({ thing, shadow }: ShadowKey): string {
  return `$aws/things/${thing}/shadow${shadow === undefined ? '' : `/name/${shadow}`}`;
}

/** How AWS names a shadow in its messages: `thing` or `thing~shadow`. */
export function shadowLabel({ thing, shadow }: ShadowKey): string {
  return shadow === undefined ? thing : `${thing}~${shadow}`;
}

/** @returns the request that a topic carries, or undefined where it is no request to the shadow service. */
export function parseShadowTopic(topic: string): { key: ShadowKey; operation: ShadowOperation } | undefined {
  const levels = topic.split('/');
  if (levels[0] !== '$aws' || levels[1] !== 'things' || levels[3] !== 'shadow') return undefined;
  const thing = levels[2] ?? '';
  if (!thingNamePattern.test(thing)) return undefined;
  const named = levels[4] === 'name';
  const shadow = named ? (levels[5] ?? '') : undefined;
  if (shadow !== undefined && !shadowNamePattern.test(shadow)) return undefined;
  const rest = levels.slice(named ? 6 : 4);
  const operation = shadowOperations.find((name) => name === rest[0]);
  if (rest.length !== 1 || operation === undefined) return undefined;
  return { key: shadow === undefined ? { thing } : { thing, shadow }, operation };
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Parses a payload; an empty one is `undefined`. */
export function parsePayload(payload: Uint8Array): { value: JsonValue | undefined } | ShadowRefusal {
  if (payload.length === 0) return { value: undefined };
  let text: string;
  try {
    text = utf8.decode(payload);
  } catch {
    return { code: 415, message: 'Unsupported documented encoding; supported encoding is UTF-8' };
  }
  try {
    return { value: JSON.parse(text) as JsonValue };
  } catch {
    return { code: 400, message: 'Invalid JSON' };
  }
}

/** @returns the token, undefined where there is none, or the refusal of a bad one. */
export function clientTokenOf(document: JsonValue | undefined): { clientToken?: string } | ShadowRefusal {
  const token = isObject(document) ? own(document, 'clientToken') : undefined;
  if (token === undefined) return {};
  if (typeof token !== 'string' || Buffer.byteLength(token) > clientTokenBytesMax) {
    return { code: 400, message: 'Invalid clientToken' };
  }
  return { clientToken: token };
}

export function isRefusal(value: object): value is ShadowRefusal {
  return 'code' in value && 'message' in value;
}

/** Levels of arrays and objects; a scalar has none. Stops counting at `limit`. */
function depthOf(value: JsonValue, limit: number): number {
  if (typeof value !== 'object' || value === null) return 0;
  if (limit === 0) return 1;
  let deepest = 0;
  for (const child of Object.values(value)) deepest = Math.max(deepest, depthOf(child, limit - 1));
  return deepest + 1;
}

type ValueFault = 'null in an array' | 'number beyond a double';

function valueFaultOf(value: JsonValue, inArray: boolean): ValueFault | undefined {
  if (value === null) return inArray ? 'null in an array' : undefined;
  if (typeof value === 'number') return Number.isFinite(value) ? undefined : 'number beyond a double';
  if (typeof value !== 'object') return undefined;
  const isInArray = inArray || Array.isArray(value);
  for (const child of Object.values(value)) {
    const fault = valueFaultOf(child, isInArray);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

/** Which numbers AWS takes it does not document. */
function numberRefusal(section: SectionName, value: JsonObject): ShadowRefusal {
  const place = placeBeyondDouble({ state: { [section]: value } }) ?? '';
  return { code: 400, message: `Invalid JSON: ${beyondDouble(place)}` };
}

/** Checks an update's document, in the order in which AWS names faults. */
export function parseUpdate(document: JsonValue | undefined): UpdateDocument | ShadowRefusal {
  if (!isObject(document)) return { code: 400, message: 'Invalid JSON' };
  const token = clientTokenOf(document);
  if (isRefusal(token)) return token;
  const state = own(document, 'state');
  if (state === undefined) return { code: 400, message: 'Missing required node: state' };
  if (state !== null && !isObject(state)) return { code: 400, message: 'State node must be an object' };
  const version = own(document, 'version');
  if (version !== undefined && version !== null && !(Number.isSafeInteger(version) && Number(version) >= 0)) {
    return { code: 400, message: 'Invalid version' };
  }
  const parsed: UpdateDocument = { state: null, ...token };
  if (typeof version === 'number') parsed.version = version;
  if (state === null) return parsed;
  const sections: { desired?: JsonObject | null; reported?: JsonObject | null } = {};
  for (const [name, section] of Object.entries(state)) {
    if (name !== 'desired' && name !== 'reported') {
      return { code: 400, message: `State contains an invalid node: '${name}'` };
    }
    if (section !== null && !isObject(section)) {
      return { code: 400, message: `${name === 'desired' ? 'Desired' : 'Reported'} node must be an object` };
    }
    if (section !== null && depthOf(section, parseDepthMax) > depthMax) {
      return { code: 400, message: `JSON contains too many levels of nesting; maximum is ${depthMax}` };
    }
    const fault = section === null ? undefined : valueFaultOf(section, false);
    if (fault === 'null in an array') return { code: 400, message: 'State contains an invalid node' };
    if (section !== null && fault !== undefined) return numberRefusal(name, section);
    sections[name] = section;
  }
  parsed.state = sections;
  return parsed;
}
