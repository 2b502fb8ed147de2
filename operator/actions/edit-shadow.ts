/** An operator's edit of a shadow: the same act as in AWS's console, with a look at it before it is sent. */

import { DescribeThingCommand, ResourceNotFoundException } from '@aws-sdk/client-iot';
import * as z from 'zod';
import { parseThingName } from '../../protocol/names.ts';
import {
  desiredGaiad,
  desiredRole,
  overlay,
  type ShadowName,
  shadowBytesMax,
  shadowNames,
} from '../../protocol/shadows.ts';
import { InvalidInputError } from './errors.ts';
import type { Operator } from './operator.ts';
import {
  type Json,
  readShadow,
  type ShadowState,
  type ShadowUpdate,
  writeShadow,
} from './shadow-document.ts';

export interface ShadowSeen {
  thing: string;
  shadow: ShadowName;
  /** Null where there is none yet. */
  document: ShadowState | null;
}

/** @throws InvalidInputError where there is no such thing or shadow. */
export async function getShadow(operator: Operator, thing: string, shadow: string): Promise<ShadowSeen> {
  const name = checkedShadow(shadow);
  const document = await readShadow(operator, thing, name);
  if (!document) await requireThing(operator, thing);
  return { thing, shadow: name, document: document ?? null };
}

export interface EditShadow {
  thing: string;
  shadow: string;
  /** Merged into `desired`; null deletes a member. */
  patch?: unknown;
  /** `path=value`, after the patch: members of `desired` by dots, `config."config.toml".p2p.pex=false`. */
  assignments?: readonly string[];
  /** Refused where the shadow is at another version by then. */
  version?: number;
  dryRun?: boolean;
}

export interface ShadowEdited {
  thing: string;
  shadow: ShadowName;
  /** What is sent, or would be. */
  document: ShadowUpdate;
  /** `desired` before the edit. */
  before: Json | null;
  sent: boolean;
}

/**
 * What the edit leads to is Commander's to decide: a refused one is put back, with the reason in `desired.reason`.
 * @throws InvalidInputError where the edit can't be one; ActionError at a version conflict
 */
export async function editShadow(operator: Operator, edit: EditShadow): Promise<ShadowEdited> {
  const { thing, version, dryRun = false } = edit;
  const shadow = checkedShadow(edit.shadow);
  const desired = checkedPatch(shadow, patchOf(edit));
  await requireThing(operator, thing);
  const now = await readShadow(operator, thing, shadow);
  const document: ShadowUpdate = { state: { desired }, ...(version === undefined ? {} : { version }) };
  if (!dryRun) await writeShadow(operator, thing, shadow, document);
  return { thing, shadow, document, before: now?.desired ?? null, sent: !dryRun };
}

function checkedShadow(shadow: string): ShadowName {
  const name = shadowNames.find((one) => one === shadow);
  if (name) return name;
  throw new InvalidInputError(
    `there is no shadow ${JSON.stringify(shadow)}: it is one of ${shadowNames.join(', ')}`,
  );
}

async function requireThing({ iot }: Operator, thing: string): Promise<void> {
  const named = parseThingName(thing);
  if (!named) {
    throw new InvalidInputError(
      `${JSON.stringify(thing)} is no thing of a fleet: its name is <fleet>_<node>, as in demo_a`,
    );
  }
  try {
    await iot.send(new DescribeThingCommand({ thingName: thing }));
  } catch (error) {
    if (!(error instanceof ResourceNotFoundException)) throw error;
    throw new InvalidInputError(
      `no thing ${thing} is registered: see "beam fleet show ${named.fleet}" for those that are`,
      { cause: error },
    );
  }
}

function patchOf({ patch, assignments = [] }: EditShadow): Record<string, Json> {
  const parsed = z.record(z.string(), z.json()).safeParse(patch ?? {});
  if (!parsed.success) throw new InvalidInputError('the edit must be a JSON object, as in {"role":"active"}');
  const result = parsed.data;
  for (const assignment of assignments) assign(result, assignment);
  if (Object.keys(result).length === 0) {
    throw new InvalidInputError('nothing to edit: give path=value, as in role=active, or a JSON object');
  }
  return result;
}

/** Names between dots; one with a dot in it stands in double quotes. */
const pathPattern = /^(?:"[^"]+"|[^".=]+)(?:\.(?:"[^"]+"|[^".=]+))*$/;

function assign(target: Record<string, Json>, assignment: string): void {
  const at = assignment.indexOf('=');
  const path = at < 0 ? '' : assignment.slice(0, at);
  if (!pathPattern.test(path)) {
    throw new InvalidInputError(
      `${JSON.stringify(assignment)} is no assignment: write path=value, as in role=active or config."config.toml".p2p.pex=false`,
    );
  }
  const names = [...path.matchAll(/"([^"]+)"|([^".]+)/g)].map((match) => match[1] ?? match[2] ?? '');
  const last = names.pop() ?? '';
  let place = target;
  for (const name of names) {
    const found = Object.hasOwn(place, name) ? place[name] : undefined;
    const next: Record<string, Json> =
      typeof found === 'object' && found !== null && !Array.isArray(found) ? found : {};
    define(place, name, next);
    place = next;
  }
  define(place, last, parseValue(assignment.slice(at + 1)));
}

/** As JSON.parse does: `__proto__` is a member like any other. */
function define(target: Record<string, Json>, name: string, value: Json): void {
  Object.defineProperty(target, name, { value, enumerable: true, configurable: true, writable: true });
}

/** JSON where it is some, else the text itself. */
function parseValue(text: string): Json {
  try {
    return z.json().parse(JSON.parse(text));
  } catch {
    return text;
  }
}

/** Strict: a server passes over a member that it does not know, and so would a mistyped edit be. */
const desiredSchemas: Record<ShadowName, z.ZodType | undefined> = {
  role: desiredRole.partial().strict(),
  gaiad: desiredGaiad.extend({ config: overlay.strict().optional() }).strict(),
  // Pilots alone write there.
  status: undefined,
};

/** Nulls delete, so they are no value to check. */
function withoutNulls(value: Json): Json {
  if (Array.isArray(value) || typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, member]) =>
      member === null ? [] : [[name, withoutNulls(member)]],
    ),
  );
}

function checkedPatch(shadow: ShadowName, patch: Record<string, Json>): Record<string, Json> {
  const schema = desiredSchemas[shadow];
  if (!schema)
    throw new InvalidInputError(`nothing is desired of the ${shadow} shadow: its server reports there`);
  if ('desired' in patch || 'reported' in patch || 'state' in patch) {
    throw new InvalidInputError('give the members of `desired` alone, as in role=active: the rest is added');
  }
  const checked = schema.safeParse(withoutNulls(patch));
  if (!checked.success) {
    const faults = checked.error.issues
      .map(({ path, message }) => (path.length > 0 ? `${path.join('.')}: ${message}` : message))
      .join('; ');
    throw new InvalidInputError(`that can't be desired of the ${shadow} shadow: ${faults}`);
  }
  const bytes = Buffer.byteLength(JSON.stringify(patch));
  if (bytes > shadowBytesMax) {
    throw new InvalidInputError(`the edit has ${bytes} bytes; a shadow holds ${shadowBytesMax}`);
  }
  return patch;
}
