/** Finds which AWS operation a request is, by method and path, for every operation that AWS's SDK knows. */

import operations from './operations.json' with { type: 'json' };

export interface Route {
  service: 'iot' | 'iotData';
  operation: string;
  /** The path's labels, decoded. */
  labels: Record<string, string>;
}

interface Pattern {
  service: Route['service'];
  operation: string;
  method: string;
  levels: string[];
}

const patterns: Pattern[] = (['iot', 'iotData'] as const).flatMap((service) =>
  Object.entries(operations[service]).map(([operation, route]) => {
    const [method = '', path = ''] = route.split(' ');
    return { service, operation, method, levels: path.split('/').slice(1) };
  }),
);

/** @returns undefined where AWS has no such operation; the pattern with the most literal levels wins */
export function findRoute(method: string, path: string): Route | undefined {
  const levels = path.replace(/\/$/, '').split('/').slice(1);
  let best: { route: Route; literals: number } | undefined;
  for (const pattern of patterns) {
    if (pattern.method !== method) continue;
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
  pattern: readonly string[],
  levels: readonly string[],
): { labels: Record<string, string>; literals: number } | undefined {
  const labels: Record<string, string> = {};
  let literals = 0;
  for (const [index, wanted] of pattern.entries()) {
    const level = levels[index];
    if (level === undefined || level === '') return undefined;
    const label = /^\{(\w+)(\+?)\}$/.exec(wanted);
    if (!label?.[1]) {
      if (wanted !== level) return undefined;
      literals++;
    } else if (label[2] === '+') {
      labels[label[1]] = decodeURIComponent(levels.slice(index).join('/'));
      return { labels, literals };
    } else {
      labels[label[1]] = decodeURIComponent(level);
    }
  }
  return pattern.length === levels.length ? { labels, literals } : undefined;
}
