/** Many pilots on one local cloud, and an operator who edits their shadows. */

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { type Quantiles, quantiles } from '../sign/quantiles.ts';
import { type CloudProcess, type Device, Registrar, residentMegabytes } from './cloud.ts';
import type { FromPilots, PilotsOrder } from './pilots-child.ts';
import { type Place, RawConnection, signedRequest } from './raw-http.ts';

export const childMark = '--pilots-child';
const processes = 4;
const editsPerSecond = 20;
const settleMs = 2_000;

export interface PilotsResult {
  pilots: number;
  minutes: number;
  connectsPerSecond: number;
  /** Until the last of them had its subscription and its shadows. */
  connectedInSeconds: number;
  refused: number;
  dropped: number;
  healthMessages: number;
  edits: number;
  deltasMissing: number;
  deltaMs: Quantiles;
  cloudMegabytes: { connected: number; highest: number };
}

function next<K extends FromPilots['kind']>(child: ChildProcess, kind: K) {
  return new Promise<Extract<FromPilots, { kind: K }>>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`a process of pilots ended with ${code}`)));
    child.on('message', (message: FromPilots) => {
      if (message.kind === kind) resolve(message as Extract<FromPilots, { kind: K }>);
    });
  });
}

/** @param script what is run again, with `childMark`, as a process of pilots */
export async function measurePilots(
  script: string,
  { ready, child: cloud }: CloudProcess,
  place: Place,
  { pilots, minutes, connectsPerSecond }: { pilots: number; minutes: number; connectsPerSecond: number },
  say: (line: string) => void,
): Promise<PilotsResult> {
  const registrar = new Registrar(ready);
  await registrar.allowAll();
  const names = Array.from({ length: pilots }, (_, index) => `bench-${index % 50}_pilot-${index}`);
  const devices = await registrar.devices(names);
  registrar.close();
  say(`${pilots} things are registered`);
  const children = Array.from({ length: processes }, () => fork(script, [childMark]));
  try {
    const connected = children.map((child) => next(child, 'connected'));
    for (const [index, child] of children.entries()) {
      const order: PilotsOrder = {
        mqtt: ready.mqtt,
        ca: readFileSync(ready.ca, 'utf8'),
        devices: devices.filter((_, at) => at % processes === index),
        connectsPerSecond: connectsPerSecond / processes,
      };
      child.send(order);
    }
    const connectedInSeconds = Math.max(...(await Promise.all(connected)).map(({ seconds }) => seconds));
    const atConnected = residentMegabytes(cloud.pid);
    say(`connected in ${connectedInSeconds.toFixed(1)} s, ${atConnected} MB`);
    let highest = atConnected;
    const watch = setInterval(() => {
      highest = Math.max(highest, residentMegabytes(cloud.pid));
    }, 1000);
    const edits = await edit(place, devices, minutes * 60_000);
    clearInterval(watch);
    await delay(settleMs);
    const results = children.map((child) => next(child, 'result'));
    for (const child of children) child.send('stop');
    const told = await Promise.all(results);
    const deltaMs = told.flatMap((result) => result.deltaMs);
    const sum = (of: 'drops' | 'refused' | 'health') => told.reduce((total, result) => total + result[of], 0);
    return {
      pilots,
      minutes,
      connectsPerSecond,
      connectedInSeconds: Math.round(connectedInSeconds * 10) / 10,
      refused: sum('refused'),
      dropped: sum('drops'),
      healthMessages: sum('health'),
      edits,
      deltasMissing: edits - deltaMs.length,
      deltaMs: quantiles(deltaMs),
      cloudMegabytes: { connected: atConnected, highest },
    };
  } finally {
    for (const child of children) {
      if (child.exitCode === null) child.kill('SIGKILL');
    }
  }
}

/** Edits role shadows at random, each with the time at which it was sent. @returns how many */
async function edit(place: Place, devices: readonly Device[], ms: number): Promise<number> {
  const connection = await RawConnection.open(place);
  const end = performance.now() + ms;
  let edits = 0;
  while (performance.now() < end) {
    const device = devices[Math.floor(Math.random() * devices.length)];
    const sentAt = performance.timeOrigin + performance.now();
    const body = JSON.stringify({ state: { desired: { role: 'standby', sentAt } } });
    const { status } = await connection.send(
      signedRequest(place, 'iotdata', 'POST', `/things/${device?.id}/shadow?name=role`, body),
    );
    if (status !== 200) throw new Error(`an edit was answered ${status}`);
    edits++;
    const dueMs = ms - (end - performance.now());
    await delay(Math.max(0, (edits * 1000) / editsPerSecond - dueMs));
  }
  connection.close();
  return edits;
}

/** In a process of pilots. */
export async function pilotsChild(): Promise<void> {
  const { runPilots } = await import('./pilots-child.ts');
  const [order] = (await once(process, 'message')) as [PilotsOrder];
  await runPilots(order, (message) => process.send?.(message));
  process.exit(0);
}
