/** Finds which AWS operation a request is, by method and path, for every operation that AWS's SDK knows. */

import operations from './operations.json' with { type: 'json' };

export interface Route {
  service: 'iot' | 'iotData';
  operation: string;
  /** The path's labels, decoded. */
  labels: Readonly<Record<string, string>>;
}

interface Level {
  literal?: string;
  label?: string;
  /** The label takes all that is left. */
  isGreedy?: boolean;
}

interface Pattern {
  service: Route['service'];
  operation: string;
  levels: Level[];
}

function levelOf(text: string): Level {
  const [, label, greedy] = /^\{(\w+)(\+?)\}$/.exec(text) ?? [];
  return label === undefined ? { literal: text } : { label, isGreedy: greedy === '+' };
}

/** By method and the first level, which is a literal in all of them. */
const patterns = new Map<string, Pattern[]>();
for (const service of ['iot', 'iotData'] as const) {
  for (const [operation, route] of Object.entries(operations[service])) {
    const [method = '', path = ''] = route.split(' ');
    const levels = path.split('/').slice(1).map(levelOf);
    const key = `${method} ${levels[0]?.literal ?? ''}`;
    patterns.set(key, [...(patterns.get(key) ?? []), { service, operation, levels }]);
  }
}

/** @returns undefined where AWS has no such operation; the pattern with the most literal levels wins */
export function findRoute(method: string, path: string): Route | undefined {
  const levels = path.replace(/\/$/, '').split('/').slice(1);
  let best: { route: Route; literals: number } | undefined;
  for (const pattern of patterns.get(`${method} ${levels[0] ?? ''}`) ?? []) {
    const found = match(pattern.levels, levels);
    if (!found || (best && found.literals <= best.literals)) continue;
    best = {
      route: { service: pattern.service, operation: pattern.operation, labels: found.labels },
      literals: found.literals,
    };
  }
  return best?.route;
}

function match(
  pattern: readonly Level[],
  levels: readonly string[],
): { labels: Record<string, string>; literals: number } | undefined {
  if (levels.length < pattern.length) return undefined;
  const labels: Record<string, string> = {};
  let literals = 0;
  for (const [index, { literal, label, isGreedy }] of pattern.entries()) {
    const level = levels[index];
    if (level === undefined || level === '') return undefined;
    if (label === undefined) {
      if (literal !== level) return undefined;
      literals++;
    } else if (isGreedy) {
      labels[label] = decodeURIComponent(levels.slice(index).join('/'));
      return { labels, literals };
    } else {
      labels[label] = decodeURIComponent(level);
    }
  }
  return pattern.length === levels.length ? { labels, literals } : undefined;
}
