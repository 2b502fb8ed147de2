/**
 * A dry-run's own record and state. The record lies in the table of sign records under a key that no real one can have: that
 * one ends with a consensus address, 40 upper-case hex digits, this one with a thing's name, which has an underscore.
 */

import { ConfigError } from '../../protocol/config.ts';
import { enrol, grant, signRecord } from '../../protocol/sign-record.ts';
import { heldIn } from '../core/assess.ts';
import type { Random, RecordStore } from '../core/ports.ts';
import { enrolledState, type SignerState, withSeen } from '../core/state.ts';
import type { DiskStateFile } from '../disk/state-file.ts';

const tableMsMax = 5_000;
/** What a state pins in place of a key: no key's base64, so a signer that found this state would refuse it. */
const noKey = 'dry-run';
/** The chain's height is closed: what it committed is not judged. */
const roundMax = 2 ** 31 - 1;

export function dryRunRecordKey(chainId: string, thing: string): string {
  return `${chainId}/dry-run/${thing}`;
}

export interface DryRunHome {
  thing: string;
  chainId: string;
  table: string;
  dryRunDir: string;
}

/**
 * The state of this dry-run: as kept, or made now, with its record granted to this server.
 * @param store undefined: without a cloud, under the local guard
 * @param committed the chain's height: judging begins above it
 * @throws ConfigError where what is kept belongs to another configuration; Error where the table does not answer
 */
export async function openState(
  home: DryRunHome,
  file: DiskStateFile,
  store: RecordStore | undefined,
  random: Random,
  committed: number,
): Promise<SignerState> {
  const { thing, chainId, table, dryRunDir } = home;
  const again = `move ${dryRunDir} away, and the dry-run begins anew`;
  const reading = await file.load();
  if (reading.kind === 'lost' || reading.kind === 'unreadable')
    throw new ConfigError(dryRunDir, [`${reading.reason}; ${again}`]);
  const guard = store ? 'record' : 'local';
  if (reading.kind === 'state') {
    const { state } = reading;
    const same =
      state.publicKey === noKey &&
      state.guard === guard &&
      state.thing === thing &&
      state.chainId === chainId &&
      (!store || state.record?.table === table);
    if (!same)
      throw new ConfigError(dryRunDir, [`the dry-run kept there is of another configuration; ${again}`]);
    return state;
  }
  const floor = { height: committed, round: roundMax, step: 3 } as const;
  const pins = { guard, publicKey: noKey, chainId, thing, machine: '', floor } as const;
  if (!store) {
    const state = enrolledState(pins, 'done');
    await file.create(state);
    return state;
  }
  const key = dryRunRecordKey(chainId, thing);
  // Refused where an earlier dry-run of this server has left one: that one goes on.
  await store.update(enrol(key, random.hex(16), floor), tableMsMax);
  const found = await store.read(key, tableMsMax);
  if (found.kind !== 'found') {
    const why = found.kind === 'doubt' ? found.cause : 'it is not there';
    throw new Error(
      `the dry-run's record ${key} in table ${table} can't be made: ${why}; check [cloud] in config.toml`,
    );
  }
  const record = signRecord.parse(found.item);
  const granted = await store.update(grant(key, record, thing), tableMsMax);
  if (granted.kind !== 'done')
    throw new Error(`the dry-run's record ${key} can't be granted: ${granted.kind}`);
  const pinned = enrolledState({ ...pins, record: { table, key, recordId: record.recordId } }, 'done');
  const state = withSeen(pinned, record.epoch, heldIn(record));
  await file.create(state);
  return state;
}
