/**
 * The way out: the record (or, under the local guard, the state) is sealed, then the state for another tool is written,
 * and the key last. So there is never a key without its state, nor a state before nobody signs here any more. Broken off
 * anywhere, it goes on when it is run again with the same folder.
 */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { laterPosition, roundMax, type SignPosition } from '../../protocol/sign-position.ts';
import { systemClock, systemRandom } from '../clock.ts';
import type { SigningKey } from '../core/ports.ts';
import { consensusAddress } from '../core/service.ts';
import type { SignerState } from '../core/state.ts';
import { writeDurably } from '../disk/atomic-file.ts';
import { createDurably } from '../disk/new-file.ts';
import { DiskStateFile } from '../disk/state-file.ts';
import { lockState } from '../disk/state-lock.ts';
import { dynamoTable } from '../dynamodb.ts';
import { EnrolError } from '../enrol-error.ts';
import { type EnrolProgress, enrolmentFloor } from '../floor.ts';
import { readHome, type SignerHome } from '../home.ts';
import { readFormerState } from '../import/former-state.ts';
import { keyFileText, signingKeyOf } from '../keys/key-material.ts';
import { openSigningKey, readKeyMaterial } from '../keys/open.ts';
import { readPassphrase } from '../keys/passphrase.ts';
import { rpcNodeView } from '../node-view.ts';
import { RecordClient } from '../record-client.ts';
import { refusalOf } from '../signer-process.ts';
import { type ExportNote, readNote, writeNote } from './export-note.ts';
import { localSealing, recordSealing, type Sealing } from './sealing.ts';
import { type ExportTool, keyFileIn, stateFiles } from './state-formats.ts';

export interface ExportPlan {
  guard: 'record' | 'local';
  thing: string;
  chainId: string;
  address: string;
  table?: string;
  recordKey?: string;
  recordId?: string;
  /** `open`: this export seals. `ours`: it did, and goes on. `other`: another one did, whose tool may sign by now. */
  seal: 'open' | 'ours' | 'other';
  /** Ten blocks without our signature are waited for, since the guard alone does not tell how far the key signed. */
  fromChain: boolean;
  /** Undefined before it is known: it is found after the seal. */
  floor?: SignPosition;
  files: string[];
}

export interface ExportOptions {
  home: string;
  out: string;
  tool: ExportTool;
  /** For a key that stays where it is: in AWS KMS, or in the shares that it came from. */
  stateOnly?: boolean;
  /** An administrator's shared credentials file, where the server's own may not seal. */
  credentials?: string;
  onProgress?: (progress: EnrolProgress) => void;
  confirm?: (plan: ExportPlan) => Promise<boolean>;
  signal?: AbortSignal;
}

/** @throws EnrolError, ConfigError, KeyError, StateInUseError */
export async function exportKey(options: ExportOptions): Promise<ExportPlan> {
  const home = readHome(options.home);
  const { key, text } = await keyOf(home, options.stateOnly === true);
  const file = new DiskStateFile(home.stateDir);
  const state = await enrolledState(file, home, key);
  if (state.guard === 'local') {
    const unlock = await lockState(home.stateDir);
    try {
      return await exportUnder(localSealing(file), { options, home, key, keyText: text, state });
    } finally {
      await file.close();
      unlock();
    }
  }
  const { dynamo } = home;
  if (!dynamo || !state.record) throw new EnrolError('the record guards this key, and there is no [cloud]');
  const { credentials = dynamo.credentials } = options;
  const table = dynamoTable({ ...dynamo, credentials });
  try {
    const store = new RecordClient(table, home.table, systemClock.sleep);
    return await exportUnder(recordSealing(store, state.record, file), {
      options,
      home,
      key,
      keyText: text,
      state,
    });
  } finally {
    table.close();
  }
}

interface Exporting {
  options: ExportOptions;
  home: SignerHome;
  key: SigningKey;
  /** Of the key file for the other tool; undefined: the key stays. */
  keyText: string | undefined;
  state: SignerState;
}

async function exportUnder(sealing: Sealing, exporting: Exporting): Promise<ExportPlan> {
  const { options, state } = exporting;
  const { out, confirm } = options;
  const note = await noteOf(exporting);
  const plan = await planOf(sealing, exporting, note);
  checkWhole(exporting, note, plan);
  if (note?.done && plan.seal !== 'open') return { ...plan, ...(note.floor ? { floor: note.floor } : {}) };
  checkFolder(exporting, note);
  if (confirm && !(await confirm(plan))) throw new EnrolError('nothing was exported: it was not confirmed');

  const begun = note ?? (await beginNote(exporting, plan));
  if (plan.seal === 'open') await sealing.seal({ token: begun.token, at: new Date().toISOString() });
  const least = closed(await sealing.positions());
  const floor = await writeStates(exporting, least, begun.fromChain, () =>
    floorOf(exporting, least, begun.fromChain),
  );
  if (exporting.keyText !== undefined) await writeKey(keyFileIn(out), exporting.keyText, exporting.key);
  await writeNote(out, { ...begun, done: new Date().toISOString(), floor });
  return { ...plan, guard: state.guard, floor };
}

async function planOf(
  sealing: Sealing,
  { options, home, key, keyText, state }: Exporting,
  note: ExportNote | undefined,
): Promise<ExportPlan> {
  const found = await sealing.found();
  const seal = !found ? 'open' : found.token !== '' && found.token === note?.token ? 'ours' : 'other';
  if (note && seal === 'other' && !note.fromChain) {
    throw new EnrolError(
      `${options.out} belongs to an export that is not the one that sealed (${found?.at}); give a new folder with --out`,
    );
  }
  const names = stateFiles(options.tool, home.chainId, { height: 0, round: 0, step: 0 }).map(
    ([name]) => name,
  );
  return {
    guard: state.guard,
    thing: home.thing,
    chainId: home.chainId,
    address: consensusAddress(key.publicKey),
    ...(state.record
      ? { table: state.record.table, recordKey: state.record.key, recordId: state.record.recordId }
      : {}),
    seal,
    fromChain:
      note?.fromChain ?? (seal === 'other' || (state.bar !== undefined && state.bar.code !== 'sealed')),
    files: [
      ...names.map((name) => join(options.out, name)),
      ...(keyText === undefined ? [] : [keyFileIn(options.out)]),
    ],
  };
}

/** @throws EnrolError where the folder is another export's */
async function noteOf({ options, home, key, state }: Exporting): Promise<ExportNote | undefined> {
  const note = await readNote(options.out);
  if (!note) return undefined;
  const same =
    note.chainId === home.chainId &&
    note.address === consensusAddress(key.publicKey) &&
    note.guard === state.guard &&
    note.recordId === state.record?.recordId;
  if (same) return note;
  throw new EnrolError(
    `${options.out} has an export of another key or enrolment in it (${note.address} on ${note.chainId}); give another folder with --out`,
  );
}

function stateNames(tool: ExportTool, chainId: string): string[] {
  return stateFiles(tool, chainId, { height: 0, round: 0, step: 0 }).map(([name]) => name);
}

/** What is missing beside a key that went out may sign elsewhere by now: a state made again would be below it. @throws EnrolError */
function checkWhole({ options }: Exporting, note: ExportNote | undefined, { files }: ExportPlan): void {
  const { out } = options;
  if (!note || (!note.done && !existsSync(keyFileIn(out)))) return;
  const missing = files.find((file) => !existsSync(file));
  if (missing === undefined) return;
  throw new EnrolError(
    `${missing} is not there, and ${out} has an export already, whose tool may sign by now; give a new folder with --out: it waits for ten blocks without our signature`,
  );
}

/** Nothing of anybody's is overwritten. @throws EnrolError */
function checkFolder({ options, home }: Exporting, note: ExportNote | undefined): void {
  if (note) return;
  const names = stateFiles(options.tool, home.chainId, { height: 0, round: 0, step: 0 }).map(
    ([name]) => name,
  );
  const there = [...names.map((name) => join(options.out, name)), keyFileIn(options.out)].find(existsSync);
  if (there === undefined) return;
  throw new EnrolError(`${there} is there already, and nothing is overwritten; give a new folder with --out`);
}

async function beginNote(
  { options, home, key, state }: Exporting,
  { fromChain }: ExportPlan,
): Promise<ExportNote> {
  const note: ExportNote = {
    version: 1,
    token: systemRandom.hex(16),
    begun: new Date().toISOString(),
    chainId: home.chainId,
    address: consensusAddress(key.publicKey),
    guard: state.guard,
    ...(state.record ? { recordId: state.record.recordId } : {}),
    fromChain,
  };
  await writeNote(options.out, note);
  return note;
}

/** A whole height is closed: the other tool has no lock of a precommit to keep, and its first height is a new one. */
function closed(positions: SignPosition[]): SignPosition {
  const { height } = positions.reduce(laterPosition);
  return { height, round: roundMax, step: 3 };
}

async function floorOf(
  { options, home, key }: Exporting,
  least: SignPosition,
  fromChain: boolean,
): Promise<SignPosition> {
  const node = rpcNodeView(home.rpc, home.chainId, consensusAddress(key.publicKey));
  if (!fromChain) {
    const committed = (await node.committedHeight()) ?? 0;
    return laterPosition(least, { ...least, height: Math.max(least.height, committed) });
  }
  const quiet = await enrolmentFloor({
    node,
    clock: systemClock,
    gaiadHome: home.gaiadHome,
    rpc: home.rpc,
    chainNotStarted: false,
    imports: [],
    onProgress: options.onProgress ?? (() => {}),
    signal: options.signal,
  });
  return laterPosition(least, quiet);
}

/**
 * @param least what guard and machine know
 * @returns the floor that the files have
 */
async function writeStates(
  { options, home }: Exporting,
  least: SignPosition,
  fromChain: boolean,
  find: () => Promise<SignPosition>,
): Promise<SignPosition> {
  const { out, tool } = options;
  const paths = stateNames(tool, home.chainId).map((name) => join(out, name));
  const [written] = paths.filter(existsSync).map(readFormerState);
  // A run that was broken off wrote it. Where another tool may sign, it is out of date by now, unless the key followed.
  const keeps = written && (!fromChain || existsSync(keyFileIn(out)));
  const floor = keeps ? written.position : await find();
  if (floor.height < least.height) {
    throw new EnrolError(
      `${written?.path} is at height ${floor.height}, and this key has signed up to ${least.height}; it is not the state of this export: give a new folder with --out`,
    );
  }
  for (const [name, text] of stateFiles(tool, home.chainId, floor)) {
    const path = join(out, name);
    if (!existsSync(path)) await createDurably(path, text);
    else if (!keeps) await writeDurably(path, text);
  }
  return floor;
}

async function writeKey(path: string, text: string, key: SigningKey): Promise<void> {
  if (!existsSync(path)) return await createDurably(path, text);
  const there = signingKeyOf(readKeyMaterial(path, undefined));
  if (Buffer.from(there.publicKey).equals(key.publicKey)) return;
  throw new EnrolError(`${path} holds another key, and is not overwritten; give a new folder with --out`);
}

/** @throws EnrolError where the key can't go into a priv_validator_key.json; KeyError */
async function keyOf(
  { key: source }: SignerHome,
  stateOnly: boolean,
): Promise<{ key: SigningKey; text: string | undefined }> {
  if (stateOnly) return { key: await openSigningKey(source), text: undefined };
  if (source.kind === 'kms') {
    throw new EnrolError(
      'this key is in AWS KMS, which never gives it out: seal, and export the state alone, with --state-only; what signs next uses the same KMS key',
    );
  }
  const { path, passphrase } = source;
  const material = readKeyMaterial(
    path,
    passphrase === undefined ? undefined : () => readPassphrase(passphrase),
  );
  if (material.kind === 'seed') return { key: signingKeyOf(material), text: keyFileText(material) };
  throw new EnrolError(
    'this key was imported without its seed, and no other tool takes it in that form: go back to the shares (or the file) that it came from, and export the state alone with --state-only',
  );
}

/** @throws EnrolError where this is not the machine, key and enrolment that would sign here */
async function enrolledState(file: DiskStateFile, home: SignerHome, key: SigningKey): Promise<SignerState> {
  const reading = await file.load();
  const refusal = refusalOf(reading, home, key);
  if (reading.kind === 'state' && !refusal) return reading.state;
  throw new EnrolError(
    `nothing is exported from a signer that could not sign here: ${refusal?.message ?? 'it has no state'}`,
  );
}
