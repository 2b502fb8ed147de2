/** What a fleet costs a month on AWS, EC2, traffic and KMS aside. Pure; counted from what the code does. */

import { shadowSubscriptions } from '../../device-agent/cloud/shadow-sync.ts';
import { minuteMs } from '../../device-agent/health/reporter.ts';
import manifest from '../../lambdas/manifest.json' with { type: 'json' };
import { lookAgainMs } from '../../lambdas/peers/quiet.ts';
import { healthOnAws } from '../../protocol/config.ts';
import { parseLambdaManifest, rateMs } from '../../protocol/manifest.ts';
import { alwaysFree, prices } from './prices.ts';

export interface Fleet {
  validators: number;
  sentries: number;
  blockSeconds: number;
  /** `[health] seconds`. */
  healthSeconds: number;
  /** `[health] basic_ingest`. */
  basicIngest: boolean;
  /** Of both sweeps (lambdas/manifest.json). */
  sweepSeconds: number;
  /** Of the peers' sweep in a fleet where nothing is to do (lambdas/peers/quiet.ts). */
  quietSweepSeconds: number;
  /** Metrics that alarms look at (infra/modules/commander/alarms.tf). */
  alarms: number;
}

const sweepMs = parseLambdaManifest(manifest).functions.flatMap(({ schedules }) =>
  schedules.map(({ expression }) => rateMs(expression) ?? 0),
);

/** With all that has a default at its default, as `beam init` and Terraform set it up on AWS. */
export const exampleFleet: Fleet = {
  validators: 2,
  sentries: 8,
  blockSeconds: 6,
  healthSeconds: healthOnAws.seconds,
  basicIngest: healthOnAws.basic_ingest,
  sweepSeconds: Math.min(...sweepMs) / 1000,
  quietSweepSeconds: lookAgainMs / 1000,
  alarms: 10,
};

export interface Line {
  what: string;
  usd: number;
}

const monthSeconds = 730 * 3600;
/** Of the pilot's report to its `status` shadow. */
const statusSeconds = minuteMs / 1000;
/** A document of some 1.2 KB with its metadata. */
const statusKilobytes = 2;
/** The report, what the pilot hears of it, and its own acknowledgement of what it hears at QoS 1, which has a price, too. */
const messagesPerReport = shadowSubscriptions('x', 'status')
  .filter(({ filter }) => /\/update\/(accepted|documents)$/.test(filter))
  .reduce((sum, { qos }) => sum + 1 + qos, 1);
/** Consistent reads of 4 KB: a query of the fleet's items, of 0.5 KB a server, and half of that for the names of the fleets; the record. */
const readsPerSweep = (nodes: number) => 1.5 * Math.ceil(nodes / 8) + 1;
/** Seconds and GB of one invocation: a write to the table, a report that changes nothing, a sweep over a fleet. */
const lambda = { health: 0.02 * 0.1875, idle: 0.005 * 0.25, sweep: 0.2 * 0.25 };
/** START, END, REPORT and a line of ours. */
const logBytesPerInvocation = 400;

/** The beat's T (docs/safety.md), in seconds; record and beat are read, and the beat is raised, each third of it. */
export function beatSeconds(blockSeconds: number): number {
  return Math.max(1, Math.min(1.5, blockSeconds / 2));
}

export function monthlyCost(fleet: Fleet): { lines: Line[]; usd: number; usdWithAlwaysFree: number } {
  const { validators, sentries, blockSeconds, healthSeconds, basicIngest, alarms } = fleet;
  const nodes = validators + sentries;
  const looks = monthSeconds / (beatSeconds(blockSeconds) / 3);
  const health = (nodes * monthSeconds) / healthSeconds;
  const reports = (nodes * monthSeconds) / statusSeconds;
  const sweeps = monthSeconds / fleet.sweepSeconds;
  const peerSweeps = monthSeconds / Math.max(fleet.sweepSeconds, fleet.quietSweepSeconds);
  const requests = health + reports + 2 * sweeps;
  const gbSeconds = health * lambda.health + reports * lambda.idle + 2 * sweeps * lambda.sweep;
  const logGb = (requests * logBytesPerInvocation) / 1e9;
  const lines: Line[] = [
    { what: 'sign table: two votes a block', usd: ((2 * monthSeconds) / blockSeconds) * prices.dynamoWrite },
    { what: "sign table: the holder's beat", usd: looks * prices.dynamoWrite },
    { what: 'sign table: each signer reads the record', usd: validators * looks * prices.dynamoRead },
    { what: 'sign table: standbys read the beat', usd: (validators - 1) * looks * prices.dynamoRead },
    { what: 'health: messages', usd: basicIngest ? 0 : health * prices.iotMessage },
    { what: 'health: rule and action', usd: health * (prices.iotRule + prices.iotAction) },
    { what: 'health: fleet table', usd: health * prices.dynamoWrite },
    { what: 'status shadow: updates', usd: reports * statusKilobytes * prices.iotOperation },
    { what: 'status shadow: messages', usd: reports * messagesPerReport * prices.iotMessage },
    { what: 'status shadow: rule and action', usd: reports * (prices.iotRule + prices.iotAction) },
    { what: 'sweep of roles: a shadow a server', usd: sweeps * nodes * prices.iotOperation },
    {
      what: 'sweep of peers: the group, two shadows a server',
      usd: peerSweeps * (1 + nodes * (statusKilobytes + 1)) * prices.iotOperation,
    },
    { what: 'sweeps: tables', usd: (sweeps + peerSweeps) * readsPerSweep(nodes) * prices.dynamoRead },
    { what: 'connections', usd: nodes * (monthSeconds / 60) * prices.iotMinute },
    { what: 'Lambda: requests', usd: requests * prices.lambdaRequest },
    { what: 'Lambda: time', usd: gbSeconds * prices.lambdaGbSecond },
    { what: 'CloudWatch: logs', usd: logGb * prices.logGb },
    { what: 'CloudWatch: alarms', usd: alarms * prices.alarm },
  ];
  const usd = lines.reduce((sum, line) => sum + line.usd, 0);
  const free =
    Math.min(requests, alwaysFree.lambdaRequests) * prices.lambdaRequest +
    Math.min(gbSeconds, alwaysFree.lambdaGbSeconds) * prices.lambdaGbSecond +
    Math.min(logGb, alwaysFree.logGb) * prices.logGb +
    Math.min(alarms, alwaysFree.alarms) * prices.alarm;
  return { lines, usd, usdWithAlwaysFree: usd - free };
}

export interface Knob {
  knob: string;
  to: Partial<Fleet>;
}

export const knobs: Knob[] = [
  { knob: 'health by the broker', to: { basicIngest: false } },
  { knob: 'health each 10 s', to: { healthSeconds: 10 } },
  { knob: 'sweeps each 5 minutes', to: { sweepSeconds: 300 } },
  { knob: 'peers looked at in each sweep', to: { quietSweepSeconds: 0 } },
  { knob: 'alarms of each function and rule', to: { alarms: 23 } },
  { knob: 'blocks of 1 s', to: { blockSeconds: 1 } },
  { knob: 'one more standby', to: { validators: 3 } },
  { knob: 'no sentry', to: { sentries: 0 } },
];
