/**
 * `npm run --silent chain:build`: builds the real chain's binary (wasmd, see go.mod) and prints its path, alone,
 * on stdout; everything else goes to stderr. The binary is cached outside the checkout, by what it is made of, so
 * that a fresh clone on the same machine does not build again. Plain Node, no packages: it runs before `npm ci`.
 * With `--check` it only says whether this machine can build it.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir, setPriority } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = dirname(fileURLToPath(import.meta.url));
const command = 'github.com/CosmWasm/wasmd/cmd/wasmd';
const wasmvm = 'github.com/CosmWasm/wasmvm/v3';
const goMod = readFileSync(join(folder, 'go.mod'), 'utf8');
const wantedGo = /^go (\S+)$/m.exec(goMod)?.[1] ?? '1.25.0';

/**
 * wasmd links wasmvm's shared library, by default at its place in Go's module cache. `$ORIGIN` makes the copy
 * beside the binary found first, so that cleaning Go's caches does not break a cached binary.
 */
const flags = ['-trimpath', '-buildvcs=false', '-ldflags', "-s -w -extldflags '-Wl,-rpath,$ORIGIN'"];

const say = (text) => process.stderr.write(`chain:build: ${text}\n`);

/** Ends with the reason and the remedy. */
function fail(reason, remedy) {
  say(`${reason}\n  ${remedy}`);
  process.exit(1);
}

const goRemedy = `Install Go ${wantedGo} or newer from https://go.dev/dl (Debian's own package may be older) and put it on the PATH, then run this again.`;

/** Runs Go in this folder and returns its output; Go's own complaint goes to stderr. */
function go(...args) {
  return spawnSync('go', args, { cwd: folder, encoding: 'utf8', maxBuffer: 16 * 1024 * 1024 });
}

/** The version of Go that would build; Go 1.21 and newer fetch the one that go.mod wants, if they may. */
function goVersion() {
  const asked = go('env', 'GOVERSION');
  if (asked.error)
    fail(
      `Go is needed to build the real chain, and 'go' could not be run (${asked.error.code ?? asked.error.message}).`,
      goRemedy,
    );
  if (asked.status !== 0) {
    fail(
      `Go refuses to build the real chain: ${asked.stderr.trim()}`,
      `${goRemedy} Or let Go fetch the right version itself: GOTOOLCHAIN=auto.`,
    );
  }
  const version = asked.stdout.trim();
  const number = (text) =>
    text
      .replace(/^go/, '')
      .split('.')
      .map((part) => Number.parseInt(part, 10) || 0);
  const [[major = 0, minor = 0], [wantedMajor = 0, wantedMinor = 0]] = [number(version), number(wantedGo)];
  if (major < wantedMajor || (major === wantedMajor && minor < wantedMinor)) {
    fail(`Go is ${version}; the real chain needs ${wantedGo} or newer.`, goRemedy);
  }
  return version;
}

/** wasmvm is a C library: without a C compiler Go would fail late, with a less clear message. */
function checkCompiler() {
  const compiler = go('env', 'CC').stdout.trim() || 'gcc';
  if (spawnSync(compiler.split(' ')[0], ['--version']).error) {
    fail(
      `A C compiler is needed to build the real chain, and '${compiler}' is not there.`,
      'On Debian: apt-get install gcc libc6-dev.',
    );
  }
}

/** wasmvm's library for this machine, in Go's module cache. */
function sharedLibrary() {
  const module = go('list', '-m', '-f', '{{.Dir}}', wasmvm).stdout.trim();
  const name =
    process.platform === 'darwin'
      ? 'libwasmvm.dylib'
      : `libwasmvm.${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}.so`;
  return join(module, 'internal/api', name);
}

const version = goVersion();
if (process.argv.includes('--check')) {
  checkCompiler();
  say(`${version} can build it.`);
  process.exit(0);
}
const key = createHash('sha256')
  .update(
    [
      goMod,
      readFileSync(join(folder, 'go.sum'), 'utf8'),
      version,
      flags.join(' '),
      process.platform,
      process.arch,
    ].join('\0'),
  )
  .digest('hex')
  .slice(0, 16);
const cache =
  process.env.BEAM_CHAIN_CACHE ?? join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'beam-chain');
const built = join(cache, key);
const binary = join(built, 'wasmd');

if (!existsSync(binary)) {
  checkCompiler();
  say(`building wasmd with ${version} into ${built}: 4 to 6 minutes on two cores the first time.`);
  setPriority(10);
  const startedMs = Date.now();
  const temporary = `${built}.${process.pid}.tmp`;
  mkdirSync(temporary, { recursive: true });
  // stdout is kept for the path: what Go prints there goes to stderr too.
  const made = spawnSync('go', ['build', ...flags, '-o', join(temporary, 'wasmd'), command], {
    cwd: folder,
    stdio: ['ignore', 2, 2],
  });
  if (made.status !== 0) {
    rmSync(temporary, { recursive: true, force: true });
    fail(
      `the build of wasmd failed${made.signal ? ` (${made.signal})` : ''}.`,
      "Go's own words are above; it needs the Go module proxy (GOPROXY) and some 4 GB of disk.",
    );
  }
  const library = sharedLibrary();
  cpSync(library, join(temporary, basename(library)));
  try {
    renameSync(temporary, built);
  } catch (error) {
    // Another build of the same came first.
    rmSync(temporary, { recursive: true, force: true });
    if (!existsSync(binary)) throw error;
  }
  say(`built in ${Math.round((Date.now() - startedMs) / 1000)} s.`);
}
process.stdout.write(`${binary}\n`);
