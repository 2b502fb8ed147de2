/** Topics and filters as AWS IoT Core takes them (developer guide, "MQTT topics", "message broker quotas"). */

export const topicBytesMax = 256;
export const topicSlashesMax = 7;
const basicIngest = '$aws/rules/';

/**
 * Basic Ingest's prefix `$aws/rules/<rule>/` counts neither for the slashes nor for what a rule sees. The rule's name alone is a topic, too
 * (developer guide, "Reserved topics"): its rule sees an empty one.
 */
export function parseBasicIngest(topic: string): { rule: string; topic: string } | undefined {
  if (!topic.startsWith(basicIngest)) return undefined;
  const end = topic.indexOf('/', basicIngest.length);
  const rule = topic.slice(basicIngest.length, end < 0 ? undefined : end);
  if (end < 0) return rule === '' ? undefined : { rule, topic: '' };
  return rule === '' || end + 1 === topic.length ? undefined : { rule, topic: topic.slice(end + 1) };
}

/** @returns whether only rules may see the topic */
export function isForRulesOnly(topic: string): boolean {
  return parseBasicIngest(topic) !== undefined;
}

/** The reserved part of a shadow's topic does not count for the limits. */
function countedPart(topic: string): string {
  const ingest = parseBasicIngest(topic);
  if (ingest) return ingest.topic;
  const sharing = parseSharedFilter(topic);
  if (sharing) return sharing.filter;
  return topic.startsWith('$aws/') ? topic.split('/').slice(3).join('/') : topic;
}

/** @returns what is wrong with a topic's or a filter's size, or undefined */
export function sizeFault(topic: string): string | undefined {
  if (topic.length === 0) return 'is empty';
  if (topic.includes('\0')) return 'contains a NUL';
  const counted = countedPart(topic);
  if (Buffer.byteLength(counted) > topicBytesMax) return `has more than ${topicBytesMax} bytes`;
  if (counted.split('/').length - 1 > topicSlashesMax) return `has more than ${topicSlashesMax} slashes`;
  return undefined;
}

const shared = '$share/';
const shareNameCharactersMax = 128;

/** `$share/<name>/<filter>`: one of those that subscribed to it gets a message. */
export function parseSharedFilter(filter: string): { name: string; filter: string } | undefined {
  if (!filter.startsWith(shared)) return undefined;
  const end = filter.indexOf('/', shared.length);
  if (end < 0) return undefined;
  const name = filter.slice(shared.length, end);
  const rest = filter.slice(end + 1);
  if (name === '' || name.length > shareNameCharactersMax || hasWildcard(name) || rest === '')
    return undefined;
  return { name, filter: rest };
}

export function hasWildcard(filter: string): boolean {
  return filter.includes('+') || filter.includes('#');
}

/** `#` only as the last level, `+` only as a whole level. */
export function isValidFilter(filter: string): boolean {
  const levels = filter.split('/');
  return levels.every(
    (level, index) => !hasWildcard(level) || level === '+' || (level === '#' && index === levels.length - 1),
  );
}

/**
 * Unlike plain MQTT, `a/#` does not match `a`. As in plain MQTT, a filter that starts with a wildcard
 * does not match a topic that starts with `$` [MQTT-4.7.2-1].
 */
export function topicMatches(filter: string, topic: string): boolean {
  if (topic.startsWith('$') && /^[+#]/.test(filter)) return false;
  const levels = topic.split('/');
  const wanted = filter.split('/');
  for (const [index, level] of wanted.entries()) {
    const actual = levels[index];
    if (actual === undefined) return false;
    if (level === '#') return true;
    if (level !== '+' && level !== actual) return false;
  }
  return levels.length === wanted.length;
}

interface Node<T> {
  children: Map<string, Node<T>>;
  values: Set<T>;
}

const newNode = <T>(): Node<T> => ({ children: new Map(), values: new Set() });

/** Filters with what hangs on each; finds what a topic matches without looking at every filter. */
export class FilterIndex<T> {
  #root = newNode<T>();

  add(filter: string, value: T): void {
    let node = this.#root;
    for (const level of filter.split('/')) {
      let child = node.children.get(level);
      if (child === undefined) {
        child = newNode();
        node.children.set(level, child);
      }
      node = child;
    }
    node.values.add(value);
  }

  remove(filter: string, value: T): void {
    const path: [Node<T>, string][] = [];
    let node = this.#root;
    for (const level of filter.split('/')) {
      const child = node.children.get(level);
      if (child === undefined) return;
      path.push([node, level]);
      node = child;
    }
    node.values.delete(value);
    for (const [parent, level] of path.reverse()) {
      const child = parent.children.get(level);
      if (child === undefined || child.values.size > 0 || child.children.size > 0) return;
      parent.children.delete(level);
    }
  }

  /** @returns in no order that means something; a value that hangs on several filters comes once for each that matches */
  match(topic: string): T[] {
    const found: T[] = [];
    collect(this.#root, topic, 0, found);
    return found;
  }
}

/** @param from where the next level starts; behind the topic's end when there are no more. Most topics lead nowhere from the first. */
function collect<T>(node: Node<T>, topic: string, from: number, found: T[]): void {
  if (from > topic.length) {
    for (const value of node.values) found.push(value);
    return;
  }
  const slash = topic.indexOf('/', from);
  const end = slash < 0 ? topic.length : slash;
  const level = topic.slice(from, end);
  const isReserved = from === 0 && level.startsWith('$');
  if (!isReserved) {
    for (const value of node.children.get('#')?.values ?? []) found.push(value);
    const any = node.children.get('+');
    if (any) collect(any, topic, end + 1, found);
  }
  const exact = node.children.get(level);
  if (exact && level !== '+' && level !== '#') collect(exact, topic, end + 1, found);
}
