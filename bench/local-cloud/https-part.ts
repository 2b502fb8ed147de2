/**
 * Named-shadow updates over HTTP(S), one after the other and 50 at once, against the peers: in rounds, each server in turn, so that a machine
 * that is faster or slower for some seconds is so for all of them.
 */

import { type Quantiles, quantiles } from '../sign/quantiles.ts';
import { cpuMs } from './cloud.ts';
import { type Place, RawConnection, signedRequest } from './raw-http.ts';

const connectionsMany = 50;
const roundsMax = 5;
/** Long enough that V8 has compiled what is hot: a cloud runs for days. */
const firstWarmUpMs = 5_000;
const warmUpMs = 200;

export interface Server {
  place: Place;
  pid: number | undefined;
}

export interface Rate {
  perSecond: number;
  ms: Quantiles;
  /** Of the server's process, a request: what the machine's other work leaves alone. */
  cpuMs: number;
}

export interface UpdateRates {
  sequential: Rate;
  /** 50 connections, one request in flight on each. */
  at50: Rate;
}

const thing = (index: number) => `bench_${index}`;

function updates(place: Place): Buffer[] {
  return Array.from({ length: connectionsMany }, (_, index) =>
    signedRequest(
      place,
      'iotdata',
      'POST',
      `/things/${thing(index)}/shadow?name=status`,
      JSON.stringify({ state: { reported: { height: 1_000_000 + index, peers: 12, catchingUp: false } } }),
    ),
  );
}

interface Measured {
  times: number[];
  elapsedMs: number;
  cpuMs: number;
}

async function run(
  { place, pid }: Server,
  connections: number,
  warmUpMs: number,
  measuredMs: number,
): Promise<Measured> {
  const requests = updates(place);
  const open = await Promise.all(Array.from({ length: connections }, () => RawConnection.open(place)));
  const measure = async (ms: number): Promise<number[]> => {
    const times: number[] = [];
    const end = performance.now() + ms;
    await Promise.all(
      open.map(async (connection, index) => {
        for (let since = performance.now(); since < end; ) {
          const { status, body } = await connection.send(requests[index] ?? Buffer.alloc(0));
          if (status !== 200) throw new Error(`port ${place.port} answered ${status}: ${body}`);
          const now = performance.now();
          times.push(now - since);
          since = now;
        }
      }),
    );
    return times;
  };
  await measure(warmUpMs);
  const since = performance.now();
  const cpuBefore = cpuMs(pid);
  const times = await measure(measuredMs);
  const measured = { times, elapsedMs: performance.now() - since, cpuMs: cpuMs(pid) - cpuBefore };
  for (const connection of open) connection.close();
  return measured;
}

function rateOf(rounds: readonly Measured[]): Rate {
  const times = rounds.flatMap((round) => round.times);
  const sum = (of: (round: Measured) => number) => rounds.reduce((total, round) => total + of(round), 0);
  return {
    perSecond: Math.round(times.length / (sum(({ elapsedMs }) => elapsedMs) / 1000)),
    ms: quantiles(times),
    cpuMs: Math.round((sum((round) => round.cpuMs) / times.length) * 1000) / 1000,
  };
}

/** moto has shadows of registered things only. */
export async function makeThings(place: Place): Promise<void> {
  const connection = await RawConnection.open(place);
  for (let index = 0; index < connectionsMany; index++)
    await connection.send(signedRequest(place, 'iot', 'POST', `/things/${thing(index)}`, '{}'));
  connection.close();
}

/** @param seconds of each server's measurement, over all rounds. @returns in the order of the servers */
export async function measureUpdates(servers: readonly Server[], seconds: number): Promise<UpdateRates[]> {
  const measured = async (connections: number): Promise<Rate[]> => {
    const rounds = servers.map((): Measured[] => []);
    for (let round = 0; round < roundsMax; round++)
      for (const [index, server] of servers.entries())
        rounds[index]?.push(
          await run(
            server,
            connections,
            round === 0 ? firstWarmUpMs : warmUpMs,
            (seconds * 1000) / roundsMax,
          ),
        );
    return rounds.map(rateOf);
  };
  const sequential = await measured(1);
  const at50 = await measured(connectionsMany);
  return servers.map((_, index) => ({
    sequential: sequential[index] as Rate,
    at50: at50[index] as Rate,
  }));
}
