import { expect, test } from '@jest/globals';
import { initialGaiadState } from '../overlay/overlay-state.ts';
import { WatchedGaiad, type WatchedGaiadInputs } from './watched-gaiad.ts';

test('a watched gaiad starts, runs and is missed by what its RPC says', async () => {
  let node: Partial<WatchedGaiadInputs['node']> = {};
  let nowMs = 1_000;
  const gaiad = new WatchedGaiad({
    rpc: 'http://127.0.0.1:26657',
    applier: { outsidePeers: async () => [], setting: async () => undefined },
    store: { load: async () => initialGaiadState },
    inputs: () => ({
      desired: { known: 'alone' },
      run: undefined,
      node: {
        status: undefined,
        answeredAtMs: undefined,
        silentSinceMs: undefined,
        peers: undefined,
        chainVersion: undefined,
        ...node,
      },
      nowMs,
    }),
    onChange: () => {},
  });
  await gaiad.start();
  const seen = () => [
    gaiad.reported.state,
    gaiad.troubles().map(({ kind, severity }) => `${kind} ${severity}`),
  ];
  expect(seen()).toEqual(['starting', []]);
  nowMs = 11_000;
  expect(seen()).toEqual(['unresponsive', ['gaiad-down critical']]);
  node = { answeredAtMs: 11_000 };
  expect(seen()).toEqual(['running', []]);
  node = { answeredAtMs: 11_000, silentSinceMs: 12_000 };
  nowMs = 16_000;
  expect(seen()).toEqual(['running', []]);
  nowMs = 17_000;
  expect(seen()).toEqual(['unresponsive', ['gaiad-down critical']]);
  await gaiad.stop();
});
