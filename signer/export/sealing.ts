/** The seal under either guard: what ends signing with a key in Beam, and what is known of how far it went. */

import type { SignPosition } from '../../protocol/sign-position.ts';
import { isSealed, type SignRecord, seal, signRecord } from '../../protocol/sign-record.ts';
import { sealed } from '../core/assess.ts';
import type { RecordStore, StateFile } from '../core/ports.ts';
import type { SignerState } from '../core/state.ts';
import { EnrolError } from '../enrol-error.ts';

/** A person waits: longer than a signer may. */
const tableMsMax = 10_000;

export interface Seal {
  token: string;
  /** ISO time. */
  at: string;
}

export interface Sealing {
  /** Of whichever export; undefined: it is open. @throws EnrolError where that is in doubt */
  found(): Promise<Seal | undefined>;
  /** Resolves when it is durable. @throws EnrolError in doubt: it may be sealed, and running again tells */
  seal(with_: Seal): Promise<void>;
  /** All positions that guard and machine know, once it is sealed: none can rise any more. @throws EnrolError */
  positions(): Promise<SignPosition[]>;
}

export function recordSealing(
  store: RecordStore,
  pin: { key: string; recordId: string; table: string },
  file: StateFile,
): Sealing {
  async function read(): Promise<SignRecord> {
    const outcome = await store.read(pin.key, tableMsMax);
    if (outcome.kind === 'doubt') {
      throw new EnrolError(
        `the sign record can't be read (${outcome.cause}); check [cloud] in config.toml, and run this again`,
      );
    }
    const record = outcome.kind === 'found' ? signRecord.safeParse(outcome.item).data : undefined;
    if (!record || record.recordId !== pin.recordId) {
      throw new EnrolError(
        `the sign record ${pin.key} in table ${pin.table} is not there, not readable, or not the one that was enrolled (${pin.recordId}); nothing is exported from it: find out who changed it`,
      );
    }
    return record;
  }
  return {
    async found() {
      const record = await read();
      return isSealed(record) ? { token: record.incarnation, at: record.sealedAt ?? '' } : undefined;
    },
    async seal({ token, at }) {
      const outcome = await store.update(seal(pin.key, { recordId: pin.recordId, token, at }), tableMsMax);
      // What the table holds counts, whatever it answered.
      const record = await read();
      if (isSealed(record) && record.incarnation === token) return;
      throw new EnrolError(
        isSealed(record)
          ? 'another export sealed the record meanwhile; run this again to see what that means'
          : `the record could not be sealed (${outcome.kind === 'doubt' ? outcome.cause : outcome.kind}); nothing is exported; run this again`,
      );
    },
    async positions() {
      const { height, round, step } = await read();
      return [{ height, round, step }, ...own(await stateIn(file))];
    },
  };
}

/** Its caller holds the lock of the state folder: no signer runs on it. */
export function localSealing(file: StateFile): Sealing {
  return {
    async found() {
      const { bar } = await stateIn(file);
      return bar?.code === 'sealed' ? { token: bar.token ?? '', at: bar.at } : undefined;
    },
    async seal({ token, at }) {
      const state = await stateIn(file);
      const { message } = sealed(`the state of this signer was sealed at ${at}`);
      await file.save({ ...state, bar: { code: 'sealed', reason: message, at, token } });
    },
    async positions() {
      return own(await stateIn(file));
    },
  };
}

async function stateIn(file: StateFile): Promise<SignerState> {
  const reading = await file.load();
  if (reading.kind === 'state') return reading.state;
  throw new EnrolError(
    reading.kind === 'none'
      ? 'this signer is not enrolled: there is nothing to export; its key file is what it was'
      : reading.reason,
  );
}

function own({ seen, own }: SignerState): SignPosition[] {
  return [seen, own].map(({ height, round, step }) => ({ height, round, step }));
}
