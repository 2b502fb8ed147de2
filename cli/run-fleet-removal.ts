/** The work of `beam fleet remove` and `beam fleet leftovers`. */

import { revoke } from '../certs-scripts/rotate.ts';
import { removeServer } from '../operator/actions/remove-server.ts';
import {
  type FleetTraces,
  isGone,
  type Leftovers,
  leftovers,
  type ServerTraces,
} from '../operator/actions/traces.ts';
import { say, tell } from './command-line.ts';
import { exitCodes } from './errors.ts';
import { onInterrupt } from './interrupt.ts';
import type { CloudCommandOptions, RemoveOptions } from './options.ts';
import { withOperator } from './run-fleet.ts';
import { mayAsk, saysYes } from './run-signer.ts';

export async function remove(fleet: string, node: string, options: RemoveOptions): Promise<number> {
  const { dryRun = false, yes = false } = options;
  const asks = mayAsk(options, 'the removal');
  const { signal, release } = onInterrupt(() => {});
  try {
    return await withOperator(options, async (operator) => {
      const request = { fleet, node, signal, revoke: (arn: string) => revoke(operator.iot, arn) };
      if (asks && !yes && !dryRun) {
        const { found, thing } = await removeServer(operator, { ...request, dryRun: true });
        say(describeServer(found));
        if (!(await saysYes(`Remove ${thing} for good?`))) {
          say('beam: nothing was removed');
          return exitCodes.failed;
        }
      }
      const removed = await removeServer(operator, { ...request, dryRun });
      const { signal: _, revoke: __, ...shown } = request;
      tell(options, { ...shown, ...removed }, () => {
        if (!removed.sent) return `would be removed:\n${describeServer(removed.found)}`;
        const left = removed.left ? [`  left, run it again:\n${describeServer(removed.left)}`] : [];
        const shared = removed.shared.map((arn) => `  goes on, it is other things', too: ${arn}`);
        const services = `on the server, if there still is one: stop and disable gaiad, signer and pilot, delete the key`;
        return [`removed ${removed.thing}`, ...shared, ...left, services].join('\n');
      });
      return removed.sent && removed.left ? exitCodes.failed : 0;
    });
  } finally {
    release();
  }
}

export function showLeftovers(fleet: string | undefined, options: CloudCommandOptions): Promise<number> {
  return withOperator(options, async (operator) => {
    const found = await leftovers(operator, fleet);
    tell(options, found, () => describe(found));
    return 0;
  });
}

function describe({ fleets, loose }: Leftovers): string {
  const lines = [
    ...fleets.flatMap(describeFleet),
    ...loose.map(({ certificate, policy }) => `certificate of no thing, with ${policy}: ${certificate}`),
  ];
  return lines.join('\n') || 'nothing is left of any fleet';
}

function describeFleet({ fleet, group, servers, items, record }: FleetTraces): string[] {
  const lines = [
    ...(group ? [`  thing group beam_${fleet}`] : []),
    ...(items.length > 0 ? [`  fleet table: ${items.join(', ')}`] : []),
    ...(record
      ? [
          `  sign record ${record.key} (${record.recordId}): epoch ${record.epoch}, holder ${record.holder || 'nobody'}; it stays`,
        ]
      : []),
    ...servers.filter((server) => !isGone(server)).map(describeServer),
  ];
  return lines.length > 0 ? [`fleet ${fleet}`, ...lines] : [];
}

function describeServer({ thing, registered, certificates, shadows, items }: ServerTraces): string {
  const parts = [
    registered ? 'registered' : 'not registered',
    ...certificates,
    ...(shadows.length > 0 ? [`shadows ${shadows.join(', ')}`] : []),
    ...(items.length > 0 ? [`fleet table ${items.join(', ')}`] : []),
  ];
  return `  ${thing}: ${parts.join('; ')}`;
}
