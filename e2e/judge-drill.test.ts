import { expect, test } from '@jest/globals';
import { judgeDrill, lastJsonLine } from './chain/judge-drill.js';

const passed = {
  fault: 'none',
  ok: true,
  missedBlocks: 0,
  secondsWithoutSignature: 2.1,
  epochBefore: 1,
  epochAfter: 2,
  conflicts: 0,
  blockSeconds: 2.01,
};

test('the last line alone counts, and only as an object', () => {
  expect(lastJsonLine(`{"at":1}\n${JSON.stringify(passed)}\n`)).toEqual(passed);
  for (const text of ['', 'done\n', `${JSON.stringify(passed)}\nbye`, '[]', 'null', '3']) {
    expect(lastJsonLine(text)).toBeUndefined();
  }
});

test('a drill passes only by every figure of its fault', () => {
  expect(judgeDrill('none', passed)).toEqual([]);
  const fails = (fault: string, change: Record<string, unknown>) =>
    judgeDrill(fault, { ...passed, fault, ...change });
  expect(fails('none', { ok: 'true' })).toHaveLength(1);
  expect(fails('none', { missedBlocks: 1 })).toEqual(['1 blocks missed, none allowed']);
  expect(fails('none', { conflicts: 1 })).toEqual(['1 conflicting signatures']);
  expect(fails('none', { epochAfter: 1 })).toHaveLength(1);
  expect(fails('none', { fault: 'pilot' })).toHaveLength(1);
  expect(fails('none', { blockSeconds: null })).toEqual(['not a number in its last line: blockSeconds']);
  expect(fails('pilot', { epochAfter: 1 })).toEqual([]);
  expect(fails('pilot', {})).toEqual(['epoch 1 became 2']);
  expect(fails('signer', { missedBlocks: 2, epochAfter: 1 })).toEqual([]);
  expect(fails('gaiad', { missedBlocks: 3, secondsWithoutSignature: 7 })).toEqual([]);
  expect(fails('gaiad', { secondsWithoutSignature: 7.1 })).toEqual([
    '7.1 s without a signature, 7.0 s allowed',
  ]);
  expect(fails('host', { blockSeconds: 6, missedBlocks: 1, secondsWithoutSignature: 10 })).toEqual([]);
  expect(fails('freeze', { blockSeconds: 6, missedBlocks: 2 })).toEqual(['2 blocks missed, 1 allowed']);
  expect(judgeDrill('host', undefined)).toEqual(['its last line is not a JSON object']);
});
