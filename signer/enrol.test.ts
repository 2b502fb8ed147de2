import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { openDynamo } from '../local-cloud/dynamodb/server.ts';
import { StateInUseError } from './disk/state-lock.ts';
import { enrol, join as joinRecord } from './enrol.ts';
import { EnrolError } from './enrol-error.ts';
import { readHome } from './home.ts';
import { pubKeyRequest } from './privval/messages.ts';
import { Bench, recordKey, stateOf, until } from './rehearsal/bench.ts';
import { chainId } from './rehearsal/requests.ts';

const bench = new Bench();
const { chain } = bench;

beforeAll(() =>
  bench.start((dir) => openDynamo(dir, { tables: [{ name: 'beam-sign', partitionKey: 'key' }] })),
);
afterEach(() => bench.clear());
afterAll(() => bench.stop());

test('one process a state folder; the enrolment says what is wrong', async () => {
  const home = bench.makeHome('a');
  await expect(joinRecord({ home })).rejects.toThrow(/has no sign record/);
  await enrol({ home, guard: 'record', chainNotStarted: true });
  await expect(enrol({ home, guard: 'record', chainNotStarted: true })).rejects.toThrow(/enrolled already/);
  // Broken off between the record's write and the state's: a dry run that comes upon it writes nothing either.
  const state = join(home, 'signer/state/state.json');
  const begun = readFileSync(state, 'utf8').replace('"done"', '"pending"');
  writeFileSync(state, begun);
  rmSync(join(home, 'signer/state/enrolled.json'));
  const dry = enrol({ home, guard: 'record', chainNotStarted: true, confirm: async () => false });
  await expect(dry).rejects.toThrow(/not confirmed/);
  expect(readFileSync(state, 'utf8')).toBe(begun);
  await enrol({ home, guard: 'record', chainNotStarted: true });
  await expect(joinRecord({ home })).rejects.toThrow(EnrolError);
  await expect(enrol({ home: bench.makeHome('b'), guard: 'record', chainNotStarted: true })).rejects.toThrow(
    /signer join/,
  );
  await expect(enrol({ home: bench.makeHome('b'), guard: 'local', chainNotStarted: true })).rejects.toThrow(
    /double sign/,
  );
  await bench.startSigner(home);
  await expect(bench.startSigner(home)).rejects.toThrow(StateInUseError);
  chain.height = 5;
  await expect(
    enrol({ home: bench.makeHome('c', false), guard: 'local', chainNotStarted: true }),
  ).rejects.toThrow(/is at height 5/);
}, 20_000);

test('a node that catches up bears nothing out: no "not started" over its blocks, no signature before it is level', async () => {
  const home = bench.makeHome('a', false);
  chain.catchingUp = true;
  try {
    writeFileSync(join(home, 'gaiad/data/blockstore.db'), '');
    await expect(enrol({ home, guard: 'local', chainNotStarted: true })).rejects.toThrow(
      /blockstore\.db shows that this node has run/,
    );
    rmSync(join(home, 'gaiad/data/blockstore.db'));
    mkdirSync(join(home, 'gaiad/config'));
    const genesis = join(home, 'gaiad/config/genesis.json');
    writeFileSync(genesis, JSON.stringify({ genesis_time: '2024-01-01T00:00:00Z', chain_id: chainId }));
    await expect(enrol({ home, guard: 'local', chainNotStarted: true })).rejects.toThrow(
      /has started by now/,
    );
    rmSync(genesis);
    await enrol({ home, guard: 'local', chainNotStarted: true });
    const node = bench.startNode(home);
    await bench.startSigner(home);
    expect(await node.ask({ height: 1, step: 2 })).toBe('unvetted');
    chain.catchingUp = false;
    expect(await node.ask({ height: 1, step: 3 })).toBe('signed');
  } finally {
    chain.catchingUp = false;
  }
}, 20_000);

test('a running chain is enrolled after ten blocks without our signature, while the unenrolled signer serves the node', async () => {
  const home = bench.makeHome('a', false);
  const node = bench.startNode(home);
  const signer = await bench.startSigner(home);
  expect(await node.send(pubKeyRequest(chainId))).toMatchObject({ kind: 'pubKey' });
  expect(await node.ask({ height: 40, step: 2 })).toBe('not-enrolled');
  chain.height = 100;
  chain.signed.add(105);
  writeFileSync(
    join(home, 'gaiad/data/priv_validator_state.json'),
    JSON.stringify({ height: '109', round: 0, step: 3 }),
  );
  chain.blocksALook = 3;
  const seen: string[] = [];
  const { floor } = await enrol({
    home,
    guard: 'local',
    onProgress: ({ height, quiet, signed }) => seen.push(`${height}:${quiet}:${signed}`),
  });
  chain.blocksALook = 0;
  expect(seen.slice(0, 3)).toEqual(['104:1:false', '105:0:true', '106:1:false']);
  expect(seen.at(-1)).toBe('115:10:false');
  expect(floor.height).toBeGreaterThanOrEqual(117);
  await until(stateOf(signer, 'local'), 'the enrolment taken up');
  expect(await node.ask({ height: floor.height, step: 2 })).toBe('position-below');
  expect(await node.ask({ height: floor.height + 1, step: 2 })).toBe('signed');
  expect(JSON.parse(readFileSync(join(home, 'signer/state/state.json'), 'utf8')).own.height).toBe(
    floor.height + 1,
  );
}, 20_000);

test('invariant 7: a state of another machine is refused, and so is other configuration than the enrolled one', async () => {
  const home = bench.makeHome('a');
  await enrol({ home, guard: 'local', chainNotStarted: true });
  const file = join(home, 'signer/state/state.json');
  const state = JSON.parse(readFileSync(file, 'utf8'));
  for (const [change, said] of [
    [{ machine: 'another' }, 'made on another machine'],
    [{ thing: 'demo_b' }, "this server's thing name (node.toml) is demo_a, enrolled was demo_b"],
    [{ chainId: 'c-9' }, '[signer] chain_id is rehearsal-1, enrolled was c-9'],
    [{ publicKey: 'AAAA' }, 'the consensus key is'],
  ] as const) {
    writeFileSync(file, JSON.stringify({ ...state, ...change }));
    const signer = await bench.startSigner(home);
    expect(signer.status()).toMatchObject({ state: 'refusing', reason: expect.stringContaining(said) });
    await bench.stopLast();
  }
  // Configuration that is missing never changes the guard.
  writeFileSync(
    file,
    JSON.stringify({
      ...state,
      guard: 'record',
      record: { table: 'beam-sign', key: recordKey, recordId: 'r-1234567' },
    }),
  );
  const config = join(home, 'config.toml');
  const text = readFileSync(config, 'utf8');
  writeFileSync(config, text.slice(text.indexOf('[gaiad]')));
  const signer = await bench.startSigner(home);
  expect(signer.status()).toMatchObject({ state: 'refusing', reason: expect.stringContaining('no [cloud]') });
  rmSync(file);
  await bench.stopLast();
  expect((await bench.startSigner(home)).status()).toMatchObject({
    state: 'refusing',
    reason: expect.stringContaining('is gone'),
  });
}, 20_000);

test('invariant 7: key and state never lie in gaiad’s home; a path too long for a socket is told', () => {
  const home = bench.makeHome('a');
  const config = join(home, 'config.toml');
  const text = readFileSync(config, 'utf8');
  for (const [line, said] of [
    ['key = "gaiad/config/priv_validator_key.json"', "signer.key.*lies in gaiad's home"],
    ['state = "gaiad/data"', "signer.state.*lies in gaiad's home"],
    [`control = "run/${'x'.repeat(90)}.sock"`, 'signer.control.*107 bytes'],
    ['color = "red"', 'signer.color: no such setting'],
  ] as const) {
    writeFileSync(config, `${text}\n${line}\n`);
    expect(() => readHome(home)).toThrow(new RegExp(said));
  }
  writeFileSync(config, text.replace('[cloud]', `[cloud]\nsocket = "/${'x'.repeat(107)}"`));
  expect(() => readHome(home)).toThrow(/cloud\.socket.*107 bytes/);
});
