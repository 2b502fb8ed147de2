/**
 * What an administrator can do to the sign record, and nobody of the fleet: delete it, put an older copy back, make it again. Every
 * signer must refuse and raise an alert, none may sign, and the way back is the one that the refusal names.
 */

import { randomBytes } from 'node:crypto';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { DeleteItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { roundMax } from '../../protocol/sign-position.ts';
import { enrol, type SignRecord, signTablePartitionKey } from '../../protocol/sign-record.ts';
import { toAttribute } from '../../protocol/sign-record-dynamodb.ts';
import { activateFirst } from '../activate-first.ts';
import { runCommand } from '../chains/run-command.ts';
import { readJournal } from '../drill/journals.ts';
import type { FleetServer } from '../nodes/fleet-server.ts';
import { waitUntil } from '../wait-until.ts';
import { noteRecord, type SoakFleet } from './soak-fleet.ts';

/** What must follow from a fault did not. */
export class FaultBrokenError extends Error {
  override readonly name = 'FaultBrokenError';
}

/** Reading the record takes a signer T/3, much longer on a machine that is too busy to answer: a bound to hear it at all. */
const refuseMsMax = 60_000;
const alertMsMax = 60_000;
/** A request that was recorded before the record changed is answered by then (signer/core/service.ts). */
const underWayMs = 2_500;
/** How long nobody may sign, once all refuse: some blocks. */
const quietMs = 3_000;
const lookEveryMs = 100;
const activeMsMax = 120_000;

/** Above the chain's height, as enrolment's. */
const heightsAbove = 2;

export async function deleteRecord(soak: SoakFleet): Promise<void> {
  const alertsBefore = soak.alerts.length;
  await removeItem(soak);
  await allRefuse(soak, 'record-missing', alertsBefore);
  await enrolAnew(soak);
}

/** A copy from an earlier epoch; where none was seen yet, an operator's switch makes one. */
export async function restoreOlderRecord(soak: SoakFleet): Promise<void> {
  const older = await olderRecord(soak);
  const alertsBefore = soak.alerts.length;
  await putItem(soak, older);
  await allRefuse(soak, 'record-went-back', alertsBefore);
  await enrolAnew(soak);
}

/** As an administrator would by hand, with a floor above all that was signed. */
export async function remakeRecord(soak: SoakFleet): Promise<void> {
  const alertsBefore = soak.alerts.length;
  const { key } = await soak.drill.record();
  await removeItem(soak);
  // Whoever signs meanwhile finds no record: what was written before is below the floor.
  const height = soak.drill.commits.latest + heightsAbove;
  const update = enrol(key, randomBytes(16).toString('hex'), { height, round: roundMax, step: 3 });
  await putItem(soak, { [signTablePartitionKey]: key, ...update.set });
  await allRefuse(soak, 'record-replaced', alertsBefore);
  await joinAnew(soak);
}

async function olderRecord(soak: SoakFleet): Promise<SignRecord> {
  const { drill, signal } = soak;
  const now = await drill.record();
  const find = () =>
    soak.recordHistory.findLast(
      ({ recordId, epoch, holder }) => recordId === now.recordId && epoch < now.epoch && holder !== '',
    );
  const known = find();
  if (known) return known;
  await noteRecord(soak);
  const other = drill.validators.find(({ thing }) => thing !== now.holder);
  if (!other) throw new FaultBrokenError('an older epoch needs a second validator');
  await drill.switchTo(other);
  const switched = await waitUntil(async () => (await drill.record()).epoch > now.epoch, {
    everyMs: lookEveryMs,
    timeoutMs: activeMsMax,
    signal,
  });
  if (!switched) throw new FaultBrokenError(`${other.name} did not take over within ${activeMsMax / 1000} s`);
  return now;
}

async function removeItem({ drill }: SoakFleet): Promise<void> {
  const { cloud, recordKey } = drill.fleet;
  await cloud.dynamodb.send(
    new DeleteItemCommand({
      TableName: cloud.signTable,
      Key: { [signTablePartitionKey]: toAttribute(recordKey) },
    }),
  );
}

async function putItem({ drill }: SoakFleet, item: Record<string, string | number>): Promise<void> {
  const { cloud } = drill.fleet;
  const attributes = Object.entries(item).map(([name, value]) => [name, toAttribute(value)]);
  await cloud.dynamodb.send(
    new PutItemCommand({ TableName: cloud.signTable, Item: Object.fromEntries(attributes) }),
  );
}

/** @throws FaultBrokenError where a signer does not refuse, signs on, or nobody raises an alert */
async function allRefuse(soak: SoakFleet, code: string, alertsBefore: number): Promise<void> {
  const { drill, signal, say } = soak;
  await delay(underWayMs, undefined, { signal });
  const before = await countSigned(drill.validators);
  const states = new Map<string, string>();
  const refused = await waitUntil(
    async () => {
      for (const server of drill.validators) {
        const status = await server.signer();
        states.set(server.name, `${status?.state ?? 'silent'} ${status?.code ?? ''}`.trim());
      }
      return [...states.values()].every((state) => state === `refusing ${code}`);
    },
    { everyMs: lookEveryMs, timeoutMs: refuseMsMax, signal },
  );
  if (!refused) {
    const told = [...states].map(([name, state]) => `${name} is ${state}`).join(', ');
    throw new FaultBrokenError(`not every signer refuses with ${code}: ${told}`);
  }
  await delay(quietMs, undefined, { signal });
  const signed = (await countSigned(drill.validators)) - before;
  if (signed > 0) throw new FaultBrokenError(`${signed} signatures were made after the record was changed`);
  const alerted = await waitUntil(() => soak.alerts.slice(alertsBefore).some(isOfRecord), {
    everyMs: lookEveryMs,
    timeoutMs: alertMsMax,
    signal,
  });
  if (!alerted) throw new FaultBrokenError(`nobody raised an alert of ${code} within ${alertMsMax / 1000} s`);
  say(`  every signer refuses: ${code}`);
}

function isOfRecord(alert: string): boolean {
  return /sign record/i.test(alert);
}

async function countSigned(servers: readonly FleetServer[]): Promise<number> {
  const journals = await Promise.all(servers.map(({ signerState }) => readJournal(signerState)));
  return journals.flat().length;
}

/** "Move the signer state away on every server, remove the record by hand, and enrol anew." */
async function enrolAnew(soak: SoakFleet): Promise<void> {
  const [first, ...others] = soak.drill.validators;
  if (!first) throw new FaultBrokenError('no validator to enrol');
  const states = await moveStatesAway(soak);
  await removeItem(soak);
  const imports = states.flatMap((folder) => ['--import', join(folder, 'state.json')]);
  await beam(soak, ['signer', 'enrol', '--home', first.root, '--yes', ...imports]);
  for (const server of others) await beam(soak, ['signer', 'join', '--home', server.root]);
  await activate(soak);
}

/** "If that was meant, move the signer state away on every server and join it." */
async function joinAnew(soak: SoakFleet): Promise<void> {
  await moveStatesAway(soak);
  for (const server of soak.drill.validators) await beam(soak, ['signer', 'join', '--home', server.root]);
  await activate(soak);
}

async function beam(soak: SoakFleet, args: readonly string[]): Promise<void> {
  await runCommand([...soak.beam, ...args], soak.signal);
}

/** A signer that starts without a state answers its node, and takes an enrolment up by itself. @returns where the states are now */
async function moveStatesAway({ drill, checks, signal }: SoakFleet): Promise<string[]> {
  const { runner } = drill.fleet;
  const moved = await Promise.all(
    drill.validators.map(async ({ signerProcess = '', signerState }) => {
      const away = `${signerState}.${Date.now()}`;
      runner.hold(signerProcess);
      await runner.kill(signerProcess);
      await rename(signerState, away);
      checks.addJournal(away);
      runner.release(signerProcess);
      return away;
    }),
  );
  // An enrolment that comes before its signer runs keeps it from starting, and its node stands still: no block is seen.
  const unenrolled = async () => {
    const states = await Promise.all(drill.validators.map(async (server) => (await server.signer())?.state));
    return states.every((state) => state === 'unenrolled');
  };
  const times = { everyMs: lookEveryMs, timeoutMs: activeMsMax, signal };
  if (!(await waitUntil(unenrolled, times))) throw new FaultBrokenError('not every signer runs unenrolled');
  return moved;
}

/** The new record names nobody: an operator names the first one, as at a fleet's first start. */
async function activate(soak: SoakFleet): Promise<void> {
  const { drill, signal } = soak;
  await activateFirst(drill.fleet, drill.watch, activeMsMax, signal);
  await noteRecord(soak);
}
