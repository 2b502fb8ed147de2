/** The work of `beam fleet …`, `beam shadow …` and `beam failover`. */

import { DescribeEndpointCommand } from '@aws-sdk/client-iot';
import { registerFleet } from '../certs-scripts/register.ts';
import { admitServer } from '../operator/actions/admit-server.ts';
import { configureFleet } from '../operator/actions/configure-fleet.ts';
import { editShadow, getShadow } from '../operator/actions/edit-shadow.ts';
import { failover } from '../operator/actions/failover.ts';
import {
  type FleetSummary,
  listFleet,
  listFleets,
  type NodeSummary,
  showNode,
} from '../operator/actions/list-fleet.ts';
import { connectOperator, disconnect, type Operator } from '../operator/actions/operator.ts';
import { parseThingName } from '../protocol/names.ts';
import { findCloud } from './cloud-place.ts';
import { badInput, say, tell } from './command-line.ts';
import { CliError, describeError, exitCodeOf, exitCodes } from './errors.ts';
import { onInterrupt } from './interrupt.ts';
import type {
  AdmitOptions,
  CloudCommandOptions,
  ConfigureOptions,
  EditOptions,
  FailoverOptions,
} from './options.ts';

/** Runs `work` with clients of the cloud that the options name; errors say which one that was. */
export async function withOperator<T>(
  options: CloudCommandOptions,
  work: (operator: Operator) => Promise<T>,
): Promise<T> {
  const place = findCloud(options, process.env);
  let operator = connectOperator(place);
  try {
    if (place.endpoint === undefined) {
      const own = await dataEndpoint(operator);
      disconnect(operator);
      operator = connectOperator({ ...place, dataEndpoint: own });
    }
    return await work(operator);
  } catch (error) {
    throw new CliError(describeError(error, place.name), exitCodeOf(error), { cause: error });
  } finally {
    disconnect(operator);
  }
}

/** An AWS account's own address for shadows. */
async function dataEndpoint({ iot }: Operator): Promise<string | undefined> {
  const { endpointAddress } = await iot.send(new DescribeEndpointCommand({ endpointType: 'iot:Data-ATS' }));
  return endpointAddress && `https://${endpointAddress}`;
}

export function list(options: CloudCommandOptions): Promise<number> {
  return withOperator(options, async (operator) => {
    const fleets = await listFleets(operator);
    tell(options, fleets, () => fleets.join('\n') || 'there is no fleet here');
    return 0;
  });
}

export function show(name: string, options: CloudCommandOptions): Promise<number> {
  return withOperator(options, async (operator) => {
    if (parseThingName(name)) {
      const node = await showNode(operator, name);
      tell(options, node, () => JSON.stringify(node, null, 2));
    } else {
      const fleet = await listFleet(operator, name);
      tell(options, fleet, () => describeFleet(fleet));
    }
    return 0;
  });
}

function describeFleet({ fleet, config, record, lastFailover, nodes }: FleetSummary): string {
  const lines = [
    `fleet ${fleet}`,
    record
      ? `record ${record.key}: epoch ${record.epoch}, holder ${record.holder || 'nobody'}, signed up to ${record.height}`
      : 'record none',
    config
      ? `failover ${config.automaticFailover ? `automatic, at most each ${config.cooldownSeconds} s` : 'by hand alone'}`
      : 'failover not configured: Commander only alerts (beam fleet configure)',
  ];
  if (lastFailover) {
    const { at, from, to, epoch, reason } = lastFailover;
    lines.push(`last failover ${new Date(at).toISOString()}: ${from} → ${to}, epoch ${epoch}: ${reason}`);
  }
  const heads = ['NODE', 'MODE', 'ROLE', 'WANTED', 'EPOCH', 'HEIGHT', 'PEERS', 'GAIAD', 'SIGNER', 'HEARD'];
  const rows = [heads, ...nodes.map(nodeRow)];
  const widths = heads.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const table = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  const refused = nodes.flatMap(({ thing, reason }) => (reason ? [`${thing}: ${reason}`] : []));
  return [...lines, '', ...table, ...refused].join('\n');
}

function nodeRow(node: NodeSummary): string[] {
  const text = (value: string | number | null) => (value === null ? '-' : String(value));
  const heard =
    node.healthAgeMs === null
      ? 'never'
      : `${(node.healthAgeMs / 1000).toFixed(0)} s ago${node.connected ? '' : ', disconnected'}`;
  return [
    node.node,
    text(node.mode),
    `${text(node.role)}${node.holder ? ' *' : ''}`,
    text(node.desiredRole),
    text(node.epoch),
    text(node.height),
    text(node.peers),
    `${text(node.gaiad)}${node.catchingUp ? ', catching up' : ''}`,
    text(node.signer),
    heard,
  ];
}

export function configure(fleet: string, options: ConfigureOptions): Promise<number> {
  const { recordKey, automaticFailover, cooldownSeconds, dryRun = false } = options;
  return withOperator(options, async (operator) => {
    const done = await configureFleet(operator, {
      fleet,
      dryRun,
      ...(recordKey !== undefined && { recordKey }),
      ...(automaticFailover !== undefined && { automaticFailover }),
      ...(cooldownSeconds !== undefined && { cooldownSeconds }),
    });
    for (const warning of done.warnings) say(`beam: ${warning}`);
    tell(options, done, () => {
      const settings = Object.entries(done.after).map(
        ([name, value]) => `  ${name} = ${JSON.stringify(value)}`,
      );
      return `${done.sent ? 'is now' : 'would be'}:\n${settings.join('\n')}`;
    });
    return 0;
  });
}

export function shadowGet(thing: string, name: string, options: CloudCommandOptions): Promise<number> {
  return withOperator(options, async (operator) => {
    const seen = await getShadow(operator, thing, name);
    tell(options, seen, () =>
      seen.document ? JSON.stringify(seen.document, null, 2) : `${thing} has no ${name} shadow yet`,
    );
    return 0;
  });
}

export function shadowEdit(
  thing: string,
  shadow: string,
  changes: readonly string[],
  options: EditOptions,
): Promise<number> {
  const objects = changes.filter((change) => change.trimStart().startsWith('{'));
  if (objects.length > 1) badInput('give one JSON object at most, and path=value for the rest');
  const patch = objects[0] === undefined ? undefined : parseObject(objects[0]);
  const assignments = changes.filter((change) => !objects.includes(change));
  const { version, dryRun = false } = options;
  return withOperator(options, async (operator) => {
    const edit = { thing, shadow, assignments, dryRun };
    const done = await editShadow(operator, {
      ...edit,
      ...(patch !== undefined && { patch }),
      ...(version !== undefined && { version }),
    });
    tell(
      options,
      done,
      `${done.sent ? 'sent' : 'would send'} to ${thing}'s ${shadow} shadow: ${JSON.stringify(done.document)}`,
    );
    return 0;
  });
}

function parseObject(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    return badInput(`${text} is no JSON: ${error instanceof Error ? error.message : error}`, error);
  }
}

export async function failoverTo(fleet: string, options: FailoverOptions): Promise<number> {
  const { to, wait, timeout, dryRun = false } = options;
  const interrupt = onInterrupt(() => {});
  try {
    return await withOperator(options, async (operator) => {
      const timeoutMs = timeout * 1000;
      const result = await failover(operator, {
        fleet,
        wait,
        timeoutMs,
        dryRun,
        signal: interrupt.signal,
        ...(to !== undefined && { to }),
      });
      tell(options, result, () => {
        if (!result.sent) return `would ask ${result.to} to take over from ${result.from || 'nobody'}`;
        if (result.epochAfter === null)
          return `asked ${result.to} to take over from ${result.from || 'nobody'}`;
        const late = result.missing.map((what) => `\n  not reported in time: ${what}`).join('');
        return `${result.to} holds the right to sign, epoch ${result.epochAfter} (claimed after ${result.claimedMs} ms; before: ${result.from || 'nobody'})${late}`;
      });
      return result.missing.length === 0 ? 0 : exitCodes.failed;
    });
  } finally {
    interrupt.release();
  }
}

function admittedWho(instance: string | undefined): string {
  if (instance === undefined) return 'once';
  return instance === 'own' ? 'any fresh instance of this account' : `the instance ${instance}, once`;
}

export function admit(fleet: string, node: string, options: AdmitOptions): Promise<number> {
  const { kind, zone, hours, instance, dryRun = false } = options;
  return withOperator(options, async (operator) => {
    const admitted = await admitServer(operator, { fleet, node, kind, zone, hours, instance, dryRun });
    if (!dryRun) await registerFleet(operator.iot, fleet);
    const until = new Date(admitted.until).toISOString();
    tell(options, { fleet, node, kind, zone: zone ?? null, instance: instance ?? null, until, dryRun }, () =>
      [
        `${dryRun ? 'would admit' : 'admitted'} ${fleet}_${node} as ${kind}, ${admittedWho(instance)}, until ${until}`,
        'on the server: beam init --no-register …, the claim in its certs folder, then beam register',
      ].join('\n'),
    );
    return 0;
  });
}
