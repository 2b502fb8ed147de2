import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { encodeFrame, encodeUvarint, FrameDecoder, FrameError, receivedFrameBytesMax } from './frame.ts';

test('a stream of frames is read whole, however it was cut', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 8 }),
      fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 20 }),
      (messages, cuts) => {
        const stream = Buffer.concat(messages.map(encodeFrame));
        const decoder = new FrameDecoder();
        const read: Uint8Array[] = [];
        for (let offset = 0, cut = 0; offset < stream.length; cut++) {
          const length = cuts[cut % cuts.length] ?? 1;
          read.push(...decoder.push(stream.subarray(offset, offset + length)));
          offset += length;
        }
        expect(read.map((bytes) => [...bytes])).toEqual(messages.map((bytes) => [...bytes]));
      },
    ),
  );
});

test('lengths of more than seven bits', () => {
  expect([...encodeUvarint(127)]).toEqual([127]);
  expect([...encodeUvarint(300)]).toEqual([0xac, 0x02]);
  const largest = Buffer.alloc(receivedFrameBytesMax, 7);
  const [read] = new FrameDecoder().push(encodeFrame(largest));
  expect(largest.equals(read ?? Buffer.alloc(0))).toBe(true);
});

test('a large frame in many small chunks costs no more than its bytes', () => {
  const frame = encodeFrame(Buffer.alloc(receivedFrameBytesMax, 7));
  const decoder = new FrameDecoder();
  const beganMs = performance.now();
  let read: Uint8Array[] = [];
  for (let offset = 0; offset < frame.length; offset += 100) {
    read = decoder.push(frame.subarray(offset, offset + 100));
  }
  expect(read.map(({ length }) => length)).toEqual([receivedFrameBytesMax]);
  // Joined at every chunk it would be 5 GB to copy.
  expect(performance.now() - beganMs).toBeLessThan(1000);
});

test('a frame above the bound is refused as soon as its length is known', () => {
  expect(() => new FrameDecoder().push(encodeUvarint(receivedFrameBytesMax + 1))).toThrow(FrameError);
  expect(() => new FrameDecoder(10).push(Uint8Array.from([11]))).toThrow('at most 10 are read');
  expect(() => new FrameDecoder().push(new Uint8Array(10).fill(0x80))).toThrow(FrameError);
  expect(() => new FrameDecoder().push(new Uint8Array(10).fill(0xff))).toThrow(FrameError);
});
