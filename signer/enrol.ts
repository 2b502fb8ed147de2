/** Enrolment (design, section 4): from it a signer knows what guards its key. Nothing else ever changes that. */

import type { SignPosition } from '../protocol/sign-position.ts';
import {
  enrol as enrolUpdate,
  isSealed,
  type SignRecord,
  signRecord,
  signRecordKey,
} from '../protocol/sign-record.ts';
import { systemClock, systemRandom } from './clock.ts';
import { heldIn, sealed, sealedRecord } from './core/assess.ts';
import type { RecordStore, SigningKey } from './core/ports.ts';
import { consensusAddress } from './core/service.ts';
import { type Enrolment, enrolledState, type SignerState, withSeen } from './core/state.ts';
import { machineDigest } from './disk/machine-id.ts';
import { DiskStateFile } from './disk/state-file.ts';
import { lockState } from './disk/state-lock.ts';
import { dynamoTable } from './dynamodb.ts';
import { EnrolError } from './enrol-error.ts';
import { type EnrolProgress, enrolmentFloor } from './floor.ts';
import { readHome, type SignerHome } from './home.ts';
import { readFormerState } from './import/former-state.ts';
import { openSigningKey } from './keys/open.ts';
import { rpcChainId, rpcNodeView } from './node-view.ts';
import { RecordClient } from './record-client.ts';

/** A person waits: longer than a signer may. */
const tableMsMax = 10_000;

export interface EnrolPlan {
  guard: 'record' | 'local';
  thing: string;
  chainId: string;
  address: string;
  /** Nothing at or below it is ever signed. */
  floor: SignPosition;
  table?: string;
  recordKey?: string;
  recordId?: string;
}

export interface EnrolOptions {
  home: string;
  guard: 'record' | 'local';
  /** Nothing waits for blocks: the chain has none. Refused where it has. */
  chainNotStarted?: boolean;
  /** States of former signers (priv_validator_state.json, or a state.json of Beam); gaiad's own is always looked at. */
  imports?: string[];
  onProgress?: (progress: EnrolProgress) => void;
  /** Asked before anything is written; left out: yes. */
  confirm?: (plan: EnrolPlan) => Promise<boolean>;
  signal?: AbortSignal;
  /** In place of the one that config.toml names: it may not be there yet. */
  key?: SigningKey;
}

/**
 * Enrols this server's key: writes the sign record once (guard `record`), and pins guard, key and chain into the state.
 * A signer that runs unenrolled takes it up by itself.
 * @throws EnrolError, ConfigError, KeyError, StateInUseError
 */
export async function enrol(options: EnrolOptions): Promise<EnrolPlan> {
  const { guard, chainNotStarted = false, imports = [], confirm, signal } = options;
  return await withHome(options.home, options.key, async ({ home, key, file, address, store }) => {
    const before = await notEnrolled(file);
    const recordKey = signRecordKey(home.chainId, address);
    const existing = store && (await readExisting(store, recordKey));
    const begun = before?.record?.recordId;
    if (existing && guard === 'record' && before && existing.recordId === begun) {
      // The process ended between the record's write and the state's.
      checkCovered(before.seen, imports);
      const plan = planOf(home, address, before);
      if (confirm && !(await confirm(plan))) throw notConfirmed();
      await file.create({ ...before, enrolment: 'done' });
      return plan;
    }
    if (existing) {
      throw new EnrolError(
        guard === 'local'
          ? `${recordKey} has a sign record in table ${home.table}, so a fleet signs with this key; the local guard beside it would be a double sign: run beam signer join, or give this validator another key`
          : `${recordKey} is enrolled already (record id ${existing.recordId} in table ${home.table}); run beam signer join on this server`,
      );
    }
    const floor = await enrolmentFloor({
      node: rpcNodeView(home.rpc, home.chainId, address),
      clock: systemClock,
      gaiadHome: home.gaiadHome,
      rpc: home.rpc,
      chainNotStarted,
      imports,
      onProgress: options.onProgress ?? (() => {}),
      signal,
    });
    const pins: Enrolment = {
      guard,
      ...(guard === 'record'
        ? { record: { table: home.table, key: recordKey, recordId: systemRandom.hex(16) } }
        : {}),
      ...pinsOf(home, key),
      floor,
    };
    const plan = planOf(home, address, enrolledState(pins, 'pending'));
    if (confirm && !(await confirm(plan))) throw notConfirmed();
    if (guard === 'record' && pins.record) {
      if (!store) throw noCloud();
      await file.create(enrolledState(pins, 'pending'));
      await writeRecord(store, pins.record, floor);
    }
    await file.create(enrolledState(pins, 'done'));
    return plan;
  });
}

/**
 * Pins the record that another server enrolled.
 * @throws EnrolError, ConfigError, KeyError, StateInUseError
 */
export async function join(options: { home: string }): Promise<EnrolPlan> {
  return await withHome(options.home, undefined, async ({ home, key, file, address, store }) => {
    await notEnrolled(file);
    if (!store) throw noCloud();
    const recordKey = signRecordKey(home.chainId, address);
    const record = await readExisting(store, recordKey);
    if (!record) {
      throw new EnrolError(
        `${recordKey} has no sign record in table ${home.table}: check that this server has the validator's key and chain id, or run beam signer enrol on one server first`,
      );
    }
    const pinned = enrolledState(
      {
        guard: 'record',
        record: { table: home.table, key: recordKey, recordId: record.recordId },
        ...pinsOf(home, key),
        floor: { height: 0, round: 0, step: 0 },
      },
      'done',
    );
    const state = withSeen(pinned, record.epoch, heldIn(record));
    await file.create(state);
    return planOf(home, address, state);
  });
}

interface Opened {
  home: SignerHome;
  key: SigningKey;
  address: string;
  file: DiskStateFile;
  /** Undefined without a cloud. */
  store: RecordStore | undefined;
}

async function withHome<T>(
  path: string,
  given: SigningKey | undefined,
  work: (opened: Opened) => Promise<T>,
): Promise<T> {
  const home = readHome(path);
  const key = given ?? (await openSigningKey(home.key));
  const told = await rpcChainId(home.rpc);
  if (told !== undefined && told !== home.chainId) {
    throw new EnrolError(
      `${home.rpc} is on chain ${told}, config.toml has [signer] chain_id = ${JSON.stringify(home.chainId)}; correct one of them`,
    );
  }
  const unlock = await lockState(home.stateDir);
  const table = home.dynamo && dynamoTable(home.dynamo);
  try {
    return await work({
      home,
      key,
      address: consensusAddress(key.publicKey),
      file: new DiskStateFile(home.stateDir),
      store: table && new RecordClient(table, home.table, systemClock.sleep),
    });
  } finally {
    table?.close();
    unlock();
  }
}

/** An enrolment that is taken up again may be given a state that it did not know when its floor was set. */
function checkCovered(floor: SignPosition, imports: string[]): void {
  for (const { path, position } of imports.map(readFormerState)) {
    if (position.height <= floor.height) continue;
    throw new EnrolError(
      `${path} shows that this key has signed up to height ${position.height}, and the enrolment that was begun has its floor at ${floor.height}; remove the record by hand (nobody signed under it), move the signer state away, and enrol again`,
    );
  }
}

/** @returns the state of an enrolment that was begun. @throws EnrolError where there is more than that */
async function notEnrolled(file: DiskStateFile): Promise<SignerState | undefined> {
  const reading = await file.load();
  if (reading.kind === 'none') return undefined;
  if (reading.kind !== 'state') throw new EnrolError(reading.reason);
  const { state } = reading;
  if (state.enrolment === 'pending') return state;
  throw new EnrolError(
    `this signer is enrolled already (guard ${state.guard}, chain ${state.chainId}${state.record ? `, record id ${state.record.recordId}` : ''}); to enrol anew, stop the signer, move ${file.dir} away, and give its state.json with --import`,
  );
}

async function readExisting(store: RecordStore, key: string): Promise<SignRecord | undefined> {
  const outcome = await store.read(key, tableMsMax);
  if (outcome.kind === 'doubt')
    throw new EnrolError(`the sign table can't be read: ${outcome.cause}; check [cloud] in config.toml`);
  if (outcome.kind === 'absent') return undefined;
  const parsed = signRecord.safeParse(outcome.item);
  if (!parsed.success)
    throw new EnrolError(`the sign record ${key} is there and can't be read; a person must look at it`);
  if (isSealed(parsed.data)) throw new EnrolError(sealed(sealedRecord(parsed.data)).message);
  return parsed.data;
}

async function writeRecord(
  store: RecordStore,
  { key, recordId }: { key: string; recordId: string },
  floor: SignPosition,
): Promise<void> {
  const outcome = await store.update(enrolUpdate(key, recordId, floor), tableMsMax);
  if (outcome.kind === 'done') return;
  const existing = await readExisting(store, key);
  if (existing?.recordId === recordId) return;
  throw new EnrolError(
    existing
      ? `${key} was enrolled by another server meanwhile; run beam signer join`
      : `the sign record could not be written (${outcome.kind === 'doubt' ? outcome.cause : 'refused'}); run beam signer enrol again`,
  );
}

function pinsOf(home: SignerHome, key: SigningKey) {
  return {
    publicKey: Buffer.from(key.publicKey).toString('base64'),
    chainId: home.chainId,
    thing: home.thing,
    machine: machineDigest(),
  };
}

function planOf(home: SignerHome, address: string, { guard, record, seen }: SignerState): EnrolPlan {
  const { height, round, step } = seen;
  return {
    guard,
    thing: home.thing,
    chainId: home.chainId,
    address,
    floor: { height, round, step },
    ...(record ? { table: record.table, recordKey: record.key, recordId: record.recordId } : {}),
  };
}

function notConfirmed(): EnrolError {
  return new EnrolError('not enrolled: it was not confirmed');
}

function noCloud(): EnrolError {
  return new EnrolError(
    'the guard "record" needs [cloud] in config.toml: the sign record is in DynamoDB; without a cloud, enrol with --guard local',
  );
}
