import { readFileSync } from 'node:fs';
import type { ReadyLine } from '../../local-fleet/ready-line.ts';
import type { Place } from './raw-http.ts';

/** A local cloud, as the raw client needs it. */
export function placeOf(ready: ReadyLine): Place {
  return {
    host: '127.0.0.1',
    port: Number(new URL(ready.https).port),
    ca: readFileSync(ready.ca, 'utf8'),
    credentials: ready,
  };
}
