/** Lists in pages, as AWS gives them: a page goes on behind the item that the last one ended with, whatever was made or deleted meanwhile. */

import { invalidRequest } from '../registry/aws-error.ts';

/** AWS IoT's for most of its lists. */
export const pageSizeMax = 250;

export interface Asked {
  /** Where the last page ended, as we gave it out. */
  token: string | undefined;
  size: number | undefined;
  /** A larger size is refused. */
  sizeMax?: number;
  isDescending?: boolean;
}

/** Sorts by time, then by id. */
export function byTime(seconds: number, id: string): string {
  return `${seconds.toFixed(3).padStart(16, '0')} ${id}`;
}

function tokenOf(list: string, key: string): string {
  return Buffer.from(JSON.stringify([list, key])).toString('base64url');
}

/** @returns the key in it. @throws AwsError where it is not this list's, or no token at all */
function keyIn(list: string, token: string): string {
  let found: unknown;
  try {
    found = JSON.parse(Buffer.from(token, 'base64url').toString());
  } catch {
    throw invalidRequest('The page token is not valid');
  }
  const key: unknown = Array.isArray(found) ? found[1] : undefined;
  // Made anew: a decoder overlooks what is no base64.
  if (typeof key !== 'string' || tokenOf(list, key) !== token)
    throw invalidRequest('The page token is not valid');
  return key;
}

/**
 * @param list the operation's name: a token of another list is refused
 * @param keyOf what the list is sorted by, another for each item
 * @throws AwsError where the size or the token is none that AWS takes
 */
export function page<T>(
  list: string,
  items: Iterable<T>,
  keyOf: (item: T) => string,
  { token, size, sizeMax = pageSizeMax, isDescending = false }: Asked,
): { items: T[]; next: string | undefined } {
  if (size !== undefined && !(Number.isInteger(size) && size >= 1 && size <= sizeMax))
    throw invalidRequest(`A page has 1 to ${sizeMax} items, not ${size}`);
  const after = token ? keyIn(list, token) : undefined;
  const isBehind = (key: string, other: string) => (isDescending ? key < other : key > other);
  const rest: { key: string; item: T }[] = [];
  for (const item of items) {
    const key = keyOf(item);
    if (after === undefined || isBehind(key, after)) rest.push({ key, item });
  }
  rest.sort((a, b) => (a.key === b.key ? 0 : isBehind(a.key, b.key) ? 1 : -1));
  const shown = rest.slice(0, size ?? sizeMax);
  const last = shown.length < rest.length ? shown.at(-1) : undefined;
  return { items: shown.map(({ item }) => item), next: last && tokenOf(list, last.key) };
}
