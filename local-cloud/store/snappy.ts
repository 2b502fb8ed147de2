/** Unpacks Snappy's raw format (google/snappy, format_description.txt), in which LevelDB keeps its blocks. */

/** LevelDB's blocks have some kilobytes; one large value makes one larger. */
const unpackedBytesMax = 64 * 1024 * 1024;

/** @throws where it is none */
export function unsnap(packed: Buffer): Buffer {
  let at = 0;
  const byte = (): number => {
    const value = packed[at++];
    if (value === undefined) throw new Error('a packed block is cut off');
    return value;
  };
  const number = (bytes: number): number => {
    let value = 0;
    for (let n = 0; n < bytes; n++) value += byte() * 256 ** n;
    return value;
  };
  let size = 0;
  for (let shift = 0, last = 0x80; last >= 0x80; shift += 7) {
    if (shift > 28) throw new Error('a packed block has no length');
    last = byte();
    size += (last & 0x7f) * 2 ** shift;
  }
  if (size > unpackedBytesMax) throw new Error(`a packed block says that it has ${size} bytes`);
  const out = Buffer.alloc(size);
  let end = 0;
  while (at < packed.length) {
    const tag = byte();
    const upper = tag >>> 2;
    if ((tag & 3) === 0) {
      const length = (upper < 60 ? upper : number(upper - 59)) + 1;
      if (at + length > packed.length || end + length > size) throw new Error('a packed block is no such');
      packed.copy(out, end, at, at + length);
      at += length;
      end += length;
      continue;
    }
    const length = (tag & 3) === 1 ? (upper & 7) + 4 : upper + 1;
    const back = (tag & 3) === 1 ? (tag >>> 5) * 256 + byte() : number((tag & 3) === 2 ? 2 : 4);
    if (back === 0 || back > end || end + length > size) throw new Error('a packed block is no such');
    // It may reach into what it writes.
    for (let n = 0; n < length; n++, end++) out[end] = out[end - back] as number;
  }
  if (end !== size) throw new Error('a packed block is shorter than it says');
  return out;
}
