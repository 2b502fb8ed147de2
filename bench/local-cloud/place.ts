import { readFileSync } from 'node:fs';
import type { ReadyLine } from '../../local-fleet/ready-line.ts';
import type { Place } from './raw-http.ts';

/** A local cloud, as the raw client needs it: without TLS where it serves so, as the peers do. */
export function placeOf(ready: ReadyLine): Place {
  return {
    host: '127.0.0.1',
    port: Number(new URL(ready.http ?? ready.https).port),
    ...(ready.http === undefined ? { ca: readFileSync(ready.ca, 'utf8') } : {}),
    credentials: ready,
  };
}
