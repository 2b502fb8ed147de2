/**
 * `beam package`: what a server needs, as a Debian package and as a tarball of the same files: pilot, signer and command line with the one
 * native package that they need, systemd units, users, folders, completions. The same sources and Node give the same bytes.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { arOf, tarOf } from './archives.js';
import { bundleProcesses, root } from './bundle.js';

/** Debian's name of an architecture → Node's. */
export const architectures = { amd64: 'x64', arm64: 'arm64' };
/** What a server runs. The local cloud and the stand-in chain are for checkouts. */
const processes = ['beam', 'pilot', 'signer'];

const read = (path) => readFileSync(join(root, path));
const file = (path, content, mode = 0o644) => ({ path, content: Buffer.from(content), mode });

function* filesBelow(folder, below = '') {
  for (const { name, ...entry } of readdirSync(join(folder, below), { withFileTypes: true }).map((each) => ({
    name: each.name,
    folder: each.isDirectory(),
  }))) {
    const path = below ? `${below}/${name}` : name;
    if (entry.folder) yield* filesBelow(folder, path);
    else yield path;
  }
}

/** aws-crt's JavaScript for Node and the one binary of `arch`; six others stay out. */
function awsCrt(arch) {
  const from = join(root, 'node_modules/aws-crt');
  const binary = `dist/bin/linux-${architectures[arch]}-glibc/`;
  if (!existsSync(join(from, binary))) {
    throw new Error(`aws-crt has no ${binary} for ${arch}: run npm ci again, or give another --arch`);
  }
  const wanted = (path) =>
    /^(package\.json|LICENSE|NOTICE)$/.test(path) ||
    (path.startsWith('dist/bin/') ? path.startsWith(binary) : /^dist\/.*\.js$/.test(path));
  return [...filesBelow(from)]
    .filter(wanted)
    .map((path) => file(`usr/lib/beam/node_modules/aws-crt/${path}`, readFileSync(join(from, path))));
}

/** Name, version and licence text of every package whose code is in the bundles. */
function licences(inputs) {
  const folders = new Set(
    inputs.flatMap((path) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? []),
  );
  return [...folders]
    .sort()
    .map((folder) => {
      const { name, version, license } = JSON.parse(read(join(folder, 'package.json')));
      const text = readdirSync(join(root, folder)).find((each) => /^licen[cs]e(\.|$)/i.test(each));
      const body = text ? read(join(folder, text)).toString().trim() : '';
      return `${name} ${version}: ${license}\n${body ? `\n${body}\n` : ''}`;
    })
    .join(`\n${'-'.repeat(72)}\n\n`);
}

/** The files of the package, by their place on the server. */
async function contents(arch, version) {
  const dir = mkdtempSync(join(tmpdir(), 'beam-package-'));
  try {
    const dist = join(dir, 'dist');
    const inputs = await bundleProcesses(dist, processes);
    const completion = (shell) =>
      execFileSync(process.execPath, [join(dist, 'beam.js'), 'completion', shell], {
        env: { ...process.env, NODE_PATH: '', BEAM_CHECKOUT: '' },
      });
    return [
      ...[...filesBelow(dist)]
        .filter((path) => !path.endsWith('.map'))
        .map((path) => file(`usr/lib/beam/dist/${path}`, readFileSync(join(dist, path)))),
      ...awsCrt(arch),
      file('usr/lib/beam/package.json', `${JSON.stringify({ name: 'beam', version, type: 'module' })}\n`),
      file('usr/lib/beam/bin/beam.js', read('bin/beam.js'), 0o755),
      { path: 'usr/bin/beam', link: '../lib/beam/bin/beam.js', mode: 0o777 },
      ...['beam', 'beam-signer', 'gaiad'].map((unit) =>
        file(`usr/lib/systemd/system/${unit}.service`, read(`packaging/systemd/${unit}.service`)),
      ),
      file('usr/lib/sysusers.d/beam.conf', read('packaging/sysusers.conf')),
      file('usr/lib/tmpfiles.d/beam.conf', read('packaging/tmpfiles.conf')),
      file('usr/share/polkit-1/rules.d/50-beam.rules', read('packaging/polkit.rules')),
      file('usr/share/bash-completion/completions/beam', completion('bash')),
      file('usr/share/zsh/vendor-completions/_beam', completion('zsh')),
      file('usr/share/fish/vendor_completions.d/beam.fish', completion('fish')),
      file('usr/share/doc/beam/README.md', read('docs/package.md')),
      file('usr/share/doc/beam/CHANGELOG.md', read('CHANGELOG.md')),
      file('usr/share/doc/beam/copyright', read('LICENSE')),
      file('usr/share/doc/beam/third-party-licences', licences(inputs)),
    ];
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function debOf(entries, data, { version, arch, seconds }) {
  const files = entries.filter(({ content }) => content !== undefined);
  const kilobytes = Math.ceil(files.reduce((sum, { content }) => sum + content.length, 0) / 1024);
  const control = [
    'Package: beam',
    `Version: ${version}`,
    `Architecture: ${arch}`,
    'Maintainer: Beam developers <beam@localhost>',
    `Installed-Size: ${kilobytes}`,
    'Depends: nodejs (>= 20.19), systemd (>= 250), polkitd | policykit-1',
    'Section: net',
    'Priority: optional',
    'Description: runs the servers of a Cosmos validator as a fleet of IoT things',
    ' Pilot, signer and command line of Beam, with their systemd units: failover',
    ' without a double sign, configuration by device shadow.',
    '',
  ].join('\n');
  const sums = files
    .map(({ path, content }) => `${createHash('md5').update(content).digest('hex')}  ${path}\n`)
    .sort()
    .join('');
  const scripts = ['postinst', 'prerm', 'postrm'].map((name) =>
    file(name, read(`packaging/debian/${name}`), 0o755),
  );
  const controlTar = tarOf([file('control', control), file('md5sums', sums), ...scripts], seconds);
  return arOf(
    [
      { name: 'debian-binary', content: Buffer.from('2.0\n') },
      { name: 'control.tar.gz', content: gzipSync(controlTar, { level: 6 }) },
      { name: 'data.tar.gz', content: data },
    ],
    seconds,
  );
}

/**
 * Writes `beam_<version>_<arch>.deb` and `beam-<version>-linux-<arch>.tar.gz` to `out`.
 * @param {{ out: string, arch?: string }} options
 * @returns {Promise<{ path: string, bytes: number, sha256: string }[]>}
 */
export async function makePackages({ out, arch = process.arch === 'arm64' ? 'arm64' : 'amd64' }) {
  if (!Object.hasOwn(architectures, arch)) {
    throw new Error(`${arch} is none of ${Object.keys(architectures).join(', ')}`);
  }
  const { version } = JSON.parse(read('package.json'));
  const seconds = Number(process.env.SOURCE_DATE_EPOCH ?? 0);
  const entries = await contents(arch, version);
  const data = gzipSync(tarOf(entries, seconds), { level: 6 });
  mkdirSync(out, { recursive: true });
  const write = (name, content) => {
    const path = join(out, name);
    writeFileSync(path, content);
    return { path, bytes: content.length, sha256: createHash('sha256').update(content).digest('hex') };
  };
  return [
    write(`beam_${version}_${arch}.deb`, debOf(entries, data, { version, arch, seconds })),
    write(`beam-${version}-linux-${arch}.tar.gz`, data),
  ];
}
