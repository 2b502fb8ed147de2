/**
 * tar (POSIX ustar) and ar (deb(5)) archives whose bytes depend on nothing but what is in them: entries sorted by path, owner
 * root, one time for all.
 */

const block = 512;

/**
 * @typedef {{ path: string, mode: number, content?: Uint8Array, link?: string }} Entry without content and link: a folder.
 *   `path` is relative, without `./`.
 */

/** @param {string} path */
function splitPath(path) {
  if (Buffer.byteLength(path) <= 100) return { name: path, prefix: '' };
  const at = path.indexOf('/', path.length - 100);
  const [prefix, name] = [path.slice(0, at), path.slice(at + 1)];
  if (at < 0 || Buffer.byteLength(prefix) > 155) throw new Error(`${path} is too long for a tar archive`);
  return { name, prefix };
}

function tarHeader({ path, mode, content, link }, seconds) {
  const header = Buffer.alloc(block);
  const folder = content === undefined && link === undefined;
  const { name, prefix } = splitPath(folder ? `./${path}/` : `./${path}`);
  const octal = (value, at, size) => header.write(value.toString(8).padStart(size - 1, '0'), at);
  header.write(name, 0);
  octal(mode, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(content?.length ?? 0, 124, 12);
  octal(seconds, 136, 12);
  header.write(' '.repeat(8), 148);
  header.write(link !== undefined ? '2' : folder ? '5' : '0', 156);
  header.write(link ?? '', 157);
  header.write('ustar\0' + '00', 257);
  header.write('root', 265);
  header.write('root', 297);
  header.write(prefix, 345);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return header;
}

/**
 * @param {Entry[]} entries folders above them are added
 * @param {number} seconds since 1970, of all
 */
export function tarOf(entries, seconds) {
  const all = new Map(entries.map((entry) => [entry.path, entry]));
  for (const { path } of entries) {
    const parts = path.split('/').slice(0, -1);
    for (let depth = 1; depth <= parts.length; depth++) {
      const folder = parts.slice(0, depth).join('/');
      if (!all.has(folder)) all.set(folder, { path: folder, mode: 0o755 });
    }
  }
  const sorted = [...all.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
  const parts = sorted.flatMap((entry) => {
    const content = entry.content ?? Buffer.alloc(0);
    const padding = Buffer.alloc((block - (content.length % block)) % block);
    return [tarHeader(entry, seconds), content, padding];
  });
  return Buffer.concat([...parts, Buffer.alloc(2 * block)]);
}

/**
 * @param {{ name: string, content: Uint8Array }[]} members in the order that deb(5) asks for
 * @param {number} seconds
 */
export function arOf(members, seconds) {
  const parts = members.flatMap(({ name, content }) => {
    const header =
      name.padEnd(16) +
      String(seconds).padEnd(12) +
      '0'.padEnd(6) +
      '0'.padEnd(6) +
      '100644'.padEnd(8) +
      String(content.length).padEnd(10) +
      '`\n';
    return [Buffer.from(header), content, Buffer.from(content.length % 2 ? '\n' : '')];
  });
  return Buffer.concat([Buffer.from('!<arch>\n'), ...parts]);
}
