/** MD2 (RFC 1319), which neither Node nor its OpenSSL has any more. Of no use for security. */

const blockBytes = 16;
const rounds = 18;

/** RFC 1319, 3.2: a permutation of 0 to 255 made from the digits of pi. */
const substitutions = Buffer.from(
  '292e43c9a2d87c013d3654a1ecf0061362a705f3c0c7738c98932bd9bc4c82ca1e9b573cfdd4e01667426f188a17e512be4ec4d6da9ede49a0fbf58ebb2fee7a' +
    'a968799115b2073f94c210890b225f21807f5d9a5a903227353ecce7bff79703ff1930b348a5b5d1d75e922aac56aac64fb838d296a47db676fc6be29c7404f1' +
    '459d705964718720865bcf65e62da8021b6025adaeb0b9f61c46616934407e0f5547a323dd51af3ac35cf9cebac5ea262c530d6e85288409d3dfcdf441814d52' +
    '6adc37c86cc1abfa24e17b080cbdb14a7888958be363e86de9cbd5fe3b001d39f2efb70e6658d0e4a67772f8eb754b0a314450b48fed1f1adb998d339f118314',
  'hex',
);

function substitute(byte: number): number {
  return substitutions[byte & 0xff] as number;
}

/** 3.1, 3.2: filled up to whole blocks, then a block of check bytes. */
function padded(text: Buffer): Buffer {
  const missing = blockBytes - (text.length % blockBytes);
  const message = Buffer.concat([text, Buffer.alloc(missing, missing)]);
  const check = Buffer.alloc(blockBytes);
  let last = 0;
  for (const [at, byte] of message.entries()) {
    const place = at % blockBytes;
    last = (check[place] as number) ^ substitute(byte ^ last);
    check[place] = last;
  }
  return Buffer.concat([message, check]);
}

export function md2(text: string): string {
  const message = padded(Buffer.from(text));
  const state = Buffer.alloc(3 * blockBytes);
  for (let start = 0; start < message.length; start += blockBytes) {
    for (let at = 0; at < blockBytes; at++) {
      const byte = message[start + at] as number;
      state[blockBytes + at] = byte;
      state[2 * blockBytes + at] = byte ^ (state[at] as number);
    }
    let last = 0;
    for (let round = 0; round < rounds; round++) {
      for (let at = 0; at < state.length; at++) {
        last = (state[at] as number) ^ substitute(last);
        state[at] = last;
      }
      last = (last + round) & 0xff;
    }
  }
  return state.toString('hex', 0, blockBytes);
}
