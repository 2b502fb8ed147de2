/** What each stage can't be faster than on this machine, at this moment: the bare act, measured between the requests. */

import { type KeyObject, randomBytes, sign } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { claim, enrol, grant, type Holding, sign as signUpdate } from '../../protocol/sign-record.ts';
import { systemClock, systemRandom } from '../../signer/clock.ts';
import { type DynamoTable, dynamoTable } from '../../signer/dynamodb.ts';
import type { SignerHome } from '../../signer/home.ts';
import { RecordClient } from '../../signer/record-client.ts';

const tableMsMax = 5000;

/** Of a state and of sign bytes, as they are in the middle of a run. */
const stateBytes = 900;
const signBytes = 120;

export class Floors {
  readonly times: Record<'syncedAppend' | 'conditionalWrite' | 'ed25519', number[]> = {
    syncedAppend: [],
    conditionalWrite: [],
    ed25519: [],
  };
  readonly #path: string;
  #file: FileHandle | undefined;
  readonly #table: DynamoTable;
  readonly #store: RecordClient;
  readonly #key: string;
  readonly #recordId = systemRandom.hex(16);
  readonly #privateKey: KeyObject;
  readonly #holding: Holding;
  #height = 1;

  /** @param home of the signer that is measured: the same disk, table and credentials; another record */
  constructor(home: SignerHome, privateKey: KeyObject) {
    this.#path = join(home.stateDir, 'floor.jsonl');
    if (!home.dynamo) throw new Error('the bench needs a cloud');
    this.#table = dynamoTable(home.dynamo);
    this.#store = new RecordClient(this.#table, home.table, systemClock.sleep);
    this.#key = `bench-floor/${systemRandom.hex(20).toUpperCase()}`;
    this.#privateKey = privateKey;
    this.#holding = {
      recordId: this.#recordId,
      epoch: 1,
      holder: 'bench_floor',
      incarnation: systemRandom.hex(16),
    };
  }

  async start(): Promise<void> {
    this.#file = await open(this.#path, 'as', 0o600);
    const { recordId, holder } = this.#holding;
    const floor = { height: 0, round: 0, step: 0 } as const;
    const updates = [
      enrol(this.#key, recordId, floor),
      grant(this.#key, { recordId, grantEpoch: 0 }, holder),
      claim(this.#key, this.#holding),
    ];
    for (const update of updates) {
      const { kind } = await this.#store.update(update, tableMsMax);
      if (kind !== 'done') throw new Error(`the floor's record can't be made (${kind})`);
    }
  }

  /** Each act once. */
  async measure(): Promise<void> {
    const text = randomBytes(stateBytes / 2).toString('hex');
    await this.#timed('syncedAppend', async () => {
      await this.#file?.appendFile(text);
    });
    const update = signUpdate(this.#key, this.#holding, {
      height: this.#height++,
      round: 0,
      step: 3,
      signBytes: randomBytes(signBytes).toString('base64'),
      timestamp: '1700000000.000000007',
      attempt: systemRandom.hex(8),
      voteFor: '',
    });
    await this.#timed('conditionalWrite', async () => {
      const { kind } = await this.#store.update(update, tableMsMax);
      if (kind !== 'done') throw new Error(`the floor's record can't be written (${kind})`);
    });
    const bytes = randomBytes(signBytes);
    await this.#timed('ed25519', async () => void sign(null, bytes, this.#privateKey));
  }

  async close(): Promise<void> {
    this.#table.close();
    await this.#file?.close();
  }

  async #timed(what: keyof Floors['times'], act: () => Promise<void>): Promise<void> {
    const beganMs = performance.now();
    await act();
    this.times[what].push(performance.now() - beganMs);
  }
}
