import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { openDynamo } from '../../local-cloud/dynamodb/server.ts';
import { enrol } from '../enrol.ts';
import { exportKey } from '../export/export.ts';
import { Bench } from '../rehearsal/bench.ts';
import { parseSlashingParams } from './chain.ts';
import { clockFindings, cloudOffset } from './clock.ts';
import { examine } from './doctor.ts';
import { type Check, type Finding, worst } from './finding.ts';

const bench = new Bench();
beforeAll(() =>
  bench.start((dir) => openDynamo(dir, { tables: [{ name: 'beam-sign', partitionKey: 'key' }] })),
);
afterEach(() => bench.clear());
afterAll(() => bench.stop());

const of = (findings: Finding[], check: Check) => findings.filter((finding) => finding.check === check);
const texts = (findings: Finding[], check: Check) =>
  of(findings, check).map(({ level, text }) => `${level}: ${text}`);

test('a machine that is as it should be; then each thing that is not is told, with its remedy', async () => {
  const home = bench.makeHome('a');
  const keyFile = join(home, 'signer/priv_validator_key.json');
  mkdirSync(join(home, 'gaiad/config'));
  const gaiad = join(home, 'gaiad/config/config.toml');
  writeFileSync(gaiad, `priv_validator_laddr = "unix://${join(home, 'run/signer.sock')}"\n`);
  const likely: string[] = [];
  expect(of(await examine({ home, likely }), 'guard')).toEqual([
    {
      check: 'guard',
      level: 'warning',
      text: 'nothing is signed here: no key was enrolled yet',
      remedy: expect.stringMatching(/beam signer enrol .*beam signer join/),
    },
  ]);
  await enrol({ home, guard: 'record', chainNotStarted: true });

  const well = await examine({ home, likely });
  expect(well.filter(({ level }) => level === 'critical')).toEqual([]);
  expect(texts(well, 'copies')).toEqual([expect.stringMatching(/^well: no other copy/)]);
  expect(texts(well, 'copies')[0]).toContain(join(home, 'gaiad'));
  expect(texts(well, 'record')).toEqual([
    expect.stringMatching(/^well: consistent reads of beam-sign: p50 [\d.]+ ms, p99 [\d.]+ ms, of 30$/),
    'well: the record is held by nobody in epoch 0, at 0/2147483647/precommit',
  ]);
  expect(texts(well, 'guard')[0]).toMatch(/^well: pinned: guard record, record [0-9a-f]{32} in beam-sign/);
  expect(texts(well, 'permissions')).toEqual(['well: key and state are their owner’s alone']);
  expect(texts(well, 'node')[0]).toMatch(/^well: /);

  // A copy in gaiad's home, a softsign copy elsewhere, under names that say nothing; and a key that is another's.
  cpSync(keyFile, join(home, 'gaiad/config/notes.json'));
  const seed = Buffer.from(JSON.parse(readFileSync(keyFile, 'utf8')).priv_key.value, 'base64').subarray(
    0,
    32,
  );
  const backups = join(home, 'backups/of/old');
  mkdirSync(backups, { recursive: true });
  writeFileSync(join(backups, 'x'), `${seed.toString('base64')}\n`);
  writeFileSync(join(backups, 'y'), `${Buffer.alloc(32, 9).toString('base64')}\n`);
  chmodSync(keyFile, 0o640);
  chmodSync(join(home, 'signer/state'), 0o755);
  writeFileSync(
    gaiad,
    'priv_validator_laddr = ""\n[consensus]\ndouble_sign_check_height = 10\n[blocksync]\nadaptive_sync = true\n',
  );
  const ill = await examine({ home, likely });
  expect(worst(ill)).toBe('critical');
  expect(
    of(ill, 'copies')
      .map(({ text }) => text.split(' ')[0]?.slice(home.length))
      .sort(),
  ).toEqual(['/backups/of/old/x', '/gaiad/config/notes.json']);
  expect(of(ill, 'permissions').map(({ remedy }) => remedy)).toEqual([
    `chmod 600 ${keyFile}`,
    `chmod 700 ${join(home, 'signer/state')}`,
  ]);
  expect(texts(ill, 'node')).toEqual([
    expect.stringMatching(/^critical: priv_validator_laddr is empty/),
    expect.stringMatching(/^warning: double_sign_check_height is 10/),
    expect.stringMatching(/^critical: adaptive_sync is on/),
  ]);
  expect(texts(ill, 'key')[0]).toMatch(/^critical: .*mode 640/);
  for (const finding of ill) expect(finding.level === 'well' || finding.remedy !== undefined).toBe(true);
  expect(JSON.stringify(ill)).not.toContain(seed.toString('base64').slice(0, 20));

  chmodSync(keyFile, 0o600);
  rmSync(join(home, 'gaiad/config/notes.json'));
  rmSync(backups, { recursive: true });

  // gaiad follows links: to a folder outside of its home, and to the signer's own key. What is no folder was looked into by nobody.
  const outside = mkdtempSync(join(tmpdir(), 'beam-doctor-'));
  cpSync(keyFile, join(outside, 'k'));
  symlinkSync(outside, join(home, 'gaiad/linked'));
  symlinkSync(keyFile, join(home, 'gaiad/config/priv_validator_key.json'));
  expect(texts(await examine({ home, likely }), 'copies')).toEqual([
    `critical: ${join(home, 'gaiad/config/priv_validator_key.json')} holds this key: a gaiad that is started without its signer signs with it, and no guard knows`,
    expect.stringMatching(/^critical: \S+\/k holds this key: a gaiad that is started/),
  ]);
  rmSync(outside, { recursive: true });
  rmSync(join(home, 'gaiad/linked'));
  rmSync(join(home, 'gaiad/config/priv_validator_key.json'));
  expect(texts(await examine({ home, likely, look: [gaiad] }), 'copies')).toEqual([
    `unknown: nobody looked into ${gaiad}: this user can't open it as a folder`,
  ]);

  await exportKey({ home, out: join(home, 'out'), tool: 'filepv' });
  const sealed = await examine({ home, likely });
  expect(texts(sealed, 'record')[1]).toMatch(/^critical: the record is SEALED/);
  await bench.deleteRecord();
  expect(texts(await examine({ home, likely }), 'record')[1]).toMatch(/^critical: .* is not in table/);
  bench.dynamoUp = false;
  expect(texts(await examine({ home, likely }), 'record')[0]).toMatch(
    /^critical: .* can't be read \(read 1 of/,
  );
}, 60_000);

test('the clock is compared with the cloud’s answer, to within its second and the way', async () => {
  const server = createServer((_, res) => res.end()).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const levelsAt = async (aheadMs: number) => {
    const now = () => Date.now() + aheadMs;
    return clockFindings(await cloudOffset(url, undefined, now), now(), now()).map(({ level }) => level);
  };
  expect(await levelsAt(0)).toEqual(['well', 'well']);
  expect(await levelsAt(-30_000)).toEqual(['warning', 'well']);
  expect(await levelsAt(600_000)).toEqual(['critical', 'well']);
  server.close();
  expect(clockFindings(undefined, 1_000_000, 990_000).map(({ level }) => level)).toEqual([
    'unknown',
    'critical',
  ]);
});

test('slashing parameters as a chain of the Cosmos SDK 0.53 answered them', () => {
  const answer =
    'CkEIZBISNTAwMDAwMDAwMDAwMDAwMDAwGgMI2AQiETUwMDAwMDAwMDAwMDAwMDAwKhExMDAwMDAwMDAwMDAwMDAwMA==';
  expect(parseSlashingParams(Buffer.from(answer, 'base64'))).toEqual({
    windowBlocks: 100,
    minSigned: 0.5,
    jailSeconds: 600,
    doubleSign: 0.05,
    downtime: 0.01,
  });
});
