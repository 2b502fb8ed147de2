import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { overlayHash } from '../../protocol/overlay-hash.ts';
import type { Overlay } from '../../protocol/shadows.ts';
import { OverlayApplier } from './apply-overlay.ts';
import { ChainFileError } from './merge-overlay.ts';
import { type GaiadState, hashOnDisk, initialGaiadState, OverlayStore } from './overlay-state.ts';

const configText = `# gaiad
priv_validator_laddr = ""
[p2p]
persistent_peers = ""
pex = true # exchange
[consensus]
double_sign_check_height = 3
`;
const appText = '# app\nminimum-gas-prices = "0stake"\n';
const overlay: Overlay = {
  'config.toml': { p2p: { pex: false } },
  'app.toml': { 'minimum-gas-prices': '1stake' },
};
const hash = overlayHash(overlay);

async function made(files: Record<string, string> = { 'config.toml': configText, 'app.toml': appText }) {
  const root = await mkdtemp(join(tmpdir(), 'beam-overlay-'));
  await mkdir(join(root, 'gaiad/config'), { recursive: true });
  for (const [name, text] of Object.entries(files)) await writeFile(join(root, 'gaiad/config', name), text);
  const store = new OverlayStore(join(root, 'state'));
  const applier = new OverlayApplier(
    {
      kind: 'validator',
      home: join(root, 'gaiad'),
      signerAddress: 'unix:///run/signer.sock',
      signs: true,
      rpcPort: 26657,
    },
    store,
  );
  const read = (name: string) => readFile(join(root, 'gaiad/config', name), 'utf8');
  const outdated: string[] = [];
  const apply = (state: GaiadState, of: Overlay) =>
    applier.apply(
      state,
      { hash: overlayHash(of), overlay: of, chainMoves: true },
      async () => void outdated.push(await read('config.toml')),
    );
  return { root, store, applier, read, apply, outdated };
}

const pilots = configText.replace('laddr = ""', 'laddr = "unix:///run/signer.sock"').replace('= 3', '= 0');

test("without an overlay the pilot's own settings are brought in, and stay out of the trial", async () => {
  const { apply, read, outdated } = await made();
  const first = await apply(initialGaiadState, {});
  expect(first).toMatchObject({ outcome: 'restored' });
  expect(await read('config.toml')).toBe(pilots);
  // A running gaiad is known to be outdated before the file changes.
  expect(outdated).toEqual([configText]);
  expect(await apply(first.state, {})).toMatchObject({ outcome: 'unchanged' });
});

test('an overlay is tried, then accepted: the files hold it and the state says so', async () => {
  const { apply, applier, read, store } = await made();
  const before = (await apply(initialGaiadState, {})).state;
  const tried = await apply(before, overlay);
  expect(tried).toMatchObject({
    outcome: 'trial',
    changed: ['config.toml/p2p.pex', 'app.toml/minimum-gas-prices'],
  });
  expect(hashOnDisk(tried.state)).toBe(hash);
  expect(tried.state.lastGood).toBe(before.lastGood);
  expect(await read('config.toml')).toBe(pilots.replace('true', 'false'));
  expect(await read('app.toml')).toBe(appText.replace('0stake', '1stake'));

  const accepted = await applier.accept(tried.state);
  expect(accepted).toMatchObject({ lastGood: hash, overlay });
  expect(accepted.trial).toBeUndefined();
  expect(await store.load()).toEqual(accepted);

  // The overlay goes: the operator's values come back.
  const emptied = await apply(accepted, {});
  expect(emptied.outcome).toBe('trial');
  expect(await read('app.toml')).toBe(appText);
});

test('a trial that fails is taken back: files, owned settings, and what is reported', async () => {
  const { apply, applier, read } = await made();
  const before = (await apply(initialGaiadState, {})).state;
  const tried = await apply(before, overlay);
  const back = await applier.rollBack(tried.state, 'it ended twice');
  expect(await read('config.toml')).toBe(pilots);
  expect(await read('app.toml')).toBe(appText);
  expect(back).toMatchObject({ lastGood: before.lastGood, refused: { hash, by: 'roll-back' } });
  expect(back.rejected).toEqual([
    { path: 'config.toml/p2p.pex', value: false, reason: 'rolled back: it ended twice' },
    { path: 'app.toml/minimum-gas-prices', value: '1stake', reason: 'rolled back together with it' },
  ]);
  expect(back.owned).toEqual(before.owned);
});

test.each([
  ['nothing', pilots, appText],
  ['config.toml', pilots.replace('true', 'false'), appText],
  ['both files', pilots.replace('true', 'false'), appText.replace('0stake', '1stake')],
])(
  'a pilot killed after %s was written ends the trial with the same files, and can take it back',
  async (_, config, app) => {
    const { apply, applier, read, root } = await made();
    const before = (await apply(initialGaiadState, {})).state;
    const tried = await apply(before, overlay);
    await writeFile(join(root, 'gaiad/config/config.toml'), config);
    await writeFile(join(root, 'gaiad/config/app.toml'), app);
    await applier.resume(tried.state);
    expect(await read('config.toml')).toBe(pilots.replace('true', 'false'));
    expect(await read('app.toml')).toBe(appText.replace('0stake', '1stake'));
    const back = await applier.rollBack(tried.state, 'x');
    expect(await read('config.toml')).toBe(pilots);
    expect((await apply(back, {})).outcome).toBe('unchanged');
  },
);

test('a rejected overlay touches nothing', async () => {
  const { apply, read } = await made();
  const before = (await apply(initialGaiadState, {})).state;
  const bad = { 'config.toml': { p2p: { pex: true, nope: 1 } } };
  const rejected = await apply(before, bad);
  expect(rejected.outcome).toBe('rejected');
  expect(rejected.state.rejected.map(({ path }) => path)).toEqual([
    'config.toml/p2p.pex',
    'config.toml/p2p.nope',
  ]);
  expect(rejected.state.lastGood).toBe(before.lastGood);
  expect(await read('config.toml')).toBe(pilots);
  // What is applied again meanwhile does not hide it; a better overlay clears it.
  expect((await apply(rejected.state, {})).state.rejected).toHaveLength(2);
  expect((await apply(rejected.state, overlay)).state.rejected).toEqual([]);
});

test("the operator's own peers are told without the overlay's", async () => {
  const peers = `${'a'.repeat(40)}@1.2.3.4:26656`;
  const { apply, applier } = await made({
    'config.toml': configText.replace('persistent_peers = ""', `persistent_peers = "${peers}"`),
  });
  const { state } = await apply(initialGaiadState, {
    'config.toml': { p2p: { persistent_peers: `${'b'.repeat(40)}@5.6.7.8:26656` } },
  });
  expect(await applier.outsidePeers(state)).toEqual([peers]);
});

test('a chain home without its config.toml, or with a broken one, is told by path and remedy', async () => {
  const missing = await made({});
  await expect(missing.apply(initialGaiadState, {})).rejects.toThrow(
    /config\.toml can't be read \(ENOENT\): make the chain home/,
  );
  const broken = await made({ 'config.toml': 'a = = b' });
  await expect(broken.apply(initialGaiadState, {})).rejects.toThrow(ChainFileError);
});
