/** A watch of a running local fleet, with the operator's certificate that was made for it. */

import { readFile } from 'node:fs/promises';
import type { LocalFleet } from './fleet.ts';
import { FleetWatch, type WatchOptions } from './screen/watch.ts';

export async function openWatch(
  fleet: LocalFleet,
  on: Pick<WatchOptions, 'onChange' | 'onTrouble'>,
): Promise<FleetWatch> {
  const { ready, operator, file } = fleet;
  const [ca, certificate, key] = await Promise.all(
    [ready.ca, operator.certificate, operator.key].map((path) => readFile(path, 'utf8')),
  );
  return new FleetWatch({
    endpoint: ready.mqtt,
    ca: ca ?? '',
    certificate: certificate ?? '',
    key: key ?? '',
    fleet: file.fleet,
    nodes: file.nodes,
    ...on,
  });
}
