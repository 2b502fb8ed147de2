import { expect, test } from '@jest/globals';
import {
  blockSeconds,
  type ChainView,
  committed,
  counted,
  initialChainView,
  missedInRow,
  missedRecently,
  recentHeights,
} from './chain-view.ts';

const at = (ms: number) => ({ monotonicMs: ms, wallMs: ms });

function blocks(times: [height: number, atMs: number][], live = true): ChainView {
  return times.reduce(
    (view, [height, atMs]) => committed(view, { height, blockTimeMs: atMs }, live, at(atMs)),
    initialChainView,
  );
}

test("the block time is the median of the headers' times, gaps divided, catching up left out", () => {
  expect(blockSeconds(initialChainView)).toBeUndefined();
  expect(
    blockSeconds(
      blocks([
        [1, 0],
        [2, 2000],
        [3, 4000],
        [4, 9000],
      ]),
    ),
  ).toBe(2);
  expect(
    blockSeconds(
      blocks([
        [1, 0],
        [4, 6000],
      ]),
    ),
  ).toBe(2);
  expect(
    blockSeconds(
      blocks(
        [
          [1, 0],
          [2, 5],
        ],
        false,
      ),
    ),
  ).toBeUndefined();
});

test('a height that was seen is not a new commit; a lower one is another chain', () => {
  const view = blocks([[5, 1000]]);
  expect(committed(view, { height: 5, blockTimeMs: 1000 }, true, at(9000))).toBe(view);
  expect(committed(view, { height: 2, blockTimeMs: 500 }, true, at(9000))).toMatchObject({
    height: 2,
    committedAtMs: 9000,
  });
});

test('the first block seen is as old as its header says', () => {
  expect(committed(initialChainView, { height: 5, blockTimeMs: 1000 }, true, at(61_000)).committedAtMs).toBe(
    1000,
  );
  // A clock that is behind makes none from the future.
  expect(committed(initialChainView, { height: 5, blockTimeMs: 5000 }, true, at(1000)).committedAtMs).toBe(
    1000,
  );
});

test('signatures are counted once a height, in a row and among the recent ones', () => {
  let view = initialChainView;
  for (const [height, signed] of [
    [1, true],
    [2, false],
    [2, false],
    [3, true],
    [4, false],
    [5, false],
  ] as const) {
    view = counted(view, height, signed);
  }
  expect(missedInRow(view)).toBe(2);
  expect(missedRecently(view)).toEqual({ missed: 3, of: 5 });
  expect(view).toMatchObject({ missedTotal: 3, lastSignedHeight: 3, countedTo: 5 });
  for (let height = 6; height < 300; height += 1) view = counted(view, height, true);
  expect(missedRecently(view)).toEqual({ missed: 0, of: recentHeights });
  expect(missedInRow(initialChainView)).toBe(0);
});
