/** What AWS IoT says of a named shadow, parsed at the edge, and how its sections merge (AWS IoT, "Device Shadow service documents"). */

import * as z from 'zod';

export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };
export type Section = { [key: string]: Json };

const section = z.record(z.string(), z.json());
const stateOf = z.object({ desired: section.nullish(), reported: section.nullish() });
const answer = { clientToken: z.string().optional(), version: z.number().int().optional() };

export const getAccepted = z.object({ ...answer, state: stateOf.nullish(), version: z.number().int() });
export const updateAccepted = z.object({ ...answer, version: z.number().int() });
export const deleteAccepted = z.object(answer);
export const rejectedAnswer = z.object({
  ...answer,
  code: z.number().int(),
  message: z.string().default(''),
});
export const deltaMessage = z.object({ ...answer, state: section, version: z.number().int() });
export const documentsMessage = z.object({
  current: z.object({ state: stateOf.nullish(), version: z.number().int() }),
});

function isSection(value: Json | undefined): value is Section {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** `__proto__` is a key like any other. */
function put(section: Section, key: string, value: Json): void {
  Object.defineProperty(section, key, { value, writable: true, enumerable: true, configurable: true });
}

function own(section: Section, key: string): Json | undefined {
  return Object.hasOwn(section, key) ? section[key] : undefined;
}

/** Objects merge, null deletes, arrays and changed types replace. */
export function mergeSection(base: Section, change: Section): Section {
  const merged: Section = { ...base };
  for (const [key, value] of Object.entries(change)) {
    if (value === null) delete merged[key];
    else if (isSection(value)) {
      const former = own(merged, key);
      put(merged, key, mergeSection(isSection(former) ? former : {}, value));
    } else put(merged, key, value);
  }
  return merged;
}

function sameJson(a: Json | undefined, b: Json | undefined): boolean {
  if (a === b) return true;
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item, index) => sameJson(item, b[index]));
  }
  if (!isSection(a) || !isSection(b)) return false;
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && sameJson(own(a, key), own(b, key)))
  );
}

/** The smallest change that makes `wanted` of `base`, or undefined where they are the same. */
export function sectionChange(base: Section, wanted: Section): Section | undefined {
  const change: Section = {};
  for (const key of Object.keys(base)) if (!Object.hasOwn(wanted, key)) put(change, key, null);
  for (const [key, value] of Object.entries(wanted)) {
    const former = own(base, key);
    if (sameJson(former, value)) continue;
    if (isSection(former) && isSection(value)) {
      const inner = sectionChange(former, value);
      if (inner) put(change, key, inner);
    } else put(change, key, value);
  }
  return Object.keys(change).length > 0 ? change : undefined;
}
