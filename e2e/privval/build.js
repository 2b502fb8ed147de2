/**
 * Builds the node's side of the signer connection (node/) with each version of CometBFT. Binaries are cached outside the
 * checkout, by what they are made of. A version whose modules can't be had here is told from one that does not compile.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const folder = dirname(fileURLToPath(import.meta.url));
const source = join(folder, 'node');
const cache =
  process.env.BEAM_PRIVVAL_CACHE ??
  join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'beam-privval');

/** Build tag, and the version that its v*.mod names; those with most to compile last. */
export const versions = ['v034', 'v037', 'v038', 'v039', 'v1', 'v040'].map((tag) => ({
  tag,
  version:
    /cometbft\/cometbft(?: =>)? (v\S+)|=> github.com\/cometbft\/cometbft (v\S+)/
      .exec(readFileSync(join(source, `${tag}.mod`), 'utf8'))
      ?.slice(1)
      .find((match) => match) ?? tag,
}));

/** Of Go's words: the module proxy, or the way there, is to blame, and not our code. */
const notToBeHad =
  /(?:reading|Get) "?https?:\/\/|dial tcp|no such host|i\/o timeout|TLS handshake|proxyconnect|requires go >= |toolchain not available/;

function go(args) {
  return spawnSync('go', args, {
    cwd: source,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    env: {
      ...process.env,
      GOFLAGS: '-mod=readonly',
      GOTOOLCHAIN: process.env.GOTOOLCHAIN ?? 'auto',
    },
  });
}

/** @returns `{binary}`, `{skip: reason}` or `{fault}`. */
export function build(tag) {
  const hash = createHash('sha256');
  const goVersion = go(['env', 'GOVERSION']);
  if (goVersion.error)
    return {
      fault: `Go is needed, and could not be run (${goVersion.error.message}); see https://go.dev/dl`,
    };
  hash.update(goVersion.stdout + process.platform + process.arch);
  for (const name of readdirSync(source).sort()) {
    if (name.endsWith('.go') || name.startsWith(`${tag}.`)) hash.update(readFileSync(join(source, name)));
  }
  const binary = join(cache, `${tag}-${hash.digest('hex').slice(0, 16)}`);
  if (existsSync(binary)) return { binary };
  mkdirSync(cache, { recursive: true });
  const flags = [`-modfile=${tag}.mod`, '-tags', tag];
  const listed = go(['list', '-deps', ...flags, '.']);
  if (listed.status !== 0) {
    const words = listed.stderr.trim();
    return notToBeHad.test(words)
      ? { skip: words.split('\n').at(-1) }
      : { fault: words || `go list ended with ${listed.signal ?? listed.status}` };
  }
  const temporary = `${binary}.${process.pid}.tmp`;
  const built = go(['build', '-buildvcs=false', '-ldflags', '-s -w', ...flags, '-o', temporary, '.']);
  if (built.status !== 0)
    return { fault: built.stderr.trim() || `go build ended with ${built.signal ?? built.status}` };
  renameSync(temporary, binary);
  return { binary };
}
