/** Named-shadow updates over HTTP(S), one after the other and 50 at once, against the peers. */

import { type Quantiles, quantiles } from '../sign/quantiles.ts';
import { cpuMs } from './cloud.ts';
import { type Place, RawConnection, signedRequest } from './raw-http.ts';

const connectionsMany = 50;
const warmUpMs = 1_000;

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

async function run(
  place: Place,
  pid: number | undefined,
  connections: number,
  seconds: number,
): Promise<Rate> {
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
  const times = await measure(seconds * 1000);
  const cpu = (cpuMs(pid) - cpuBefore) / times.length;
  const perSecond = Math.round(times.length / ((performance.now() - since) / 1000));
  for (const connection of open) connection.close();
  return { perSecond, ms: quantiles(times), cpuMs: Math.round(cpu * 1000) / 1000 };
}

/** moto has shadows of registered things only. */
export async function makeThings(place: Place): Promise<void> {
  const connection = await RawConnection.open(place);
  for (let index = 0; index < connectionsMany; index++)
    await connection.send(signedRequest(place, 'iot', 'POST', `/things/${thing(index)}`, '{}'));
  connection.close();
}

export async function measureUpdates(
  place: Place,
  pid: number | undefined,
  seconds: number,
): Promise<UpdateRates> {
  return {
    sequential: await run(place, pid, 1, seconds),
    at50: await run(place, pid, connectionsMany, seconds),
  };
}
