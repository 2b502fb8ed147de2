/**
 * `npm run test:privval`: our signer, as a real process, against the node's side of CometBFT itself, version by version:
 * by unix socket, by TCP as nodes have it (their key is new at each start), and by TCP to a node whose key is pinned.
 * One line a version and way; the last line is `N passed, N failed`; exit 0 only if all passed and something did.
 * `node e2e/privval/run.js v038 v1` runs these alone; `--write-fixtures` writes what the versions send into
 * signer/privval/fixtures/, which is otherwise compared.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { isDeepStrictEqual } from 'node:util';
import { currentBundles } from '../../build/bundle.js';
import { build, folder, versions } from './build.js';

/** Built once: `--write-fixtures` changes the sources that `bin/beam.js` would bundle anew. */
const beam = join(await currentBundles(), 'beam.js');
const fixtures = resolve(folder, '../../signer/privval/fixtures');
const chainId = 'beam-privval-1';
/** The script waits 4 s for pings, and for a restart; the rest is room on a busy machine. */
const runMsMax = 90_000;
/** A node waits for its signer 3 s; one with another key than the pinned one must wait in vain. */
const secret = 'the listener of this test';
const ways = ['unix', 'tcp', 'tcp pinned', 'tcp wrongly pinned'];

const args = process.argv.slice(2);
const writesFixtures = args.includes('--write-fixtures');
const asked = args.filter((arg) => !arg.startsWith('--'));
const unknown = asked.filter((tag) => !versions.some((version) => version.tag === tag));
if (unknown.length > 0) {
  console.error(
    `No such version: ${unknown.join(', ')}. There are ${versions.map(({ tag }) => tag).join(', ')}.`,
  );
  process.exit(2);
}

/** The public key of a listener whose seed is the secret's SHA-256. */
function listenerKey() {
  const seed = createHash('sha256').update(secret).digest();
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]);
  return createPublicKey(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }))
    .export({ format: 'der', type: 'spki' })
    .subarray(-32)
    .toString('base64');
}

const root = mkdtempSync(join(tmpdir(), 'beam-privval-'));
const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const rawPublic = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
const rawPrivate = Buffer.concat([
  privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(-32),
  rawPublic,
]);

/** A chain at its start: the signer wants to see that nobody signed before it. */
const rpc = createHttpServer((_req, res) => {
  const sync_info = { latest_block_height: '0', catching_up: false };
  res.end(JSON.stringify({ jsonrpc: '2.0', id: -1, result: { node_info: { network: chainId }, sync_info } }));
});
await new Promise((done) => rpc.listen(0, '127.0.0.1', done));

const children = new Set();
function start(file, fileArgs, options) {
  const child = spawn(file, fileArgs, options);
  children.add(child);
  child.on('close', () => children.delete(child));
  return child;
}
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    for (const child of children) child.kill('SIGKILL');
    process.exit(130);
  });
}

const portsTaken = new Set();
/** Below the range of outgoing connections, so that none of those takes it before its server starts. */
async function freePort() {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 10_000);
    if (portsTaken.has(port)) continue;
    portsTaken.add(port);
    const server = createServer();
    const free = await new Promise((done) => {
      server.on('error', () => done(false));
      server.listen(port, '127.0.0.1', () => done(true));
    });
    await new Promise((done) => server.close(done));
    if (free) return port;
  }
}

function writeConfig(home, signer) {
  const quote = (value) => JSON.stringify(value);
  const lines = [
    '[gaiad]',
    'command = ["gaiad"]',
    'home = "gaiad"',
    `rpc = "http://127.0.0.1:${rpc.address().port}"`,
    'p2p = "127.0.0.1:26656"',
    '[signer]',
    `chain_id = ${quote(chainId)}`,
    ...Object.entries(signer).map(([name, value]) => `${name} = ${quote(value)}`),
  ];
  writeFileSync(join(home, 'config.toml'), `${lines.join('\n')}\n`);
}

function run(command) {
  return new Promise((done) => {
    const child = start(process.execPath, command, { stdio: ['ignore', 'pipe', 'pipe'] });
    let words = '';
    child.stdout.on('data', (text) => (words += text));
    child.stderr.on('data', (text) => (words += text));
    child.on('close', (code) => done({ code, words }));
  });
}

/** A home that is enrolled under the local guard; each run gets a copy. */
async function enrolledHome() {
  const home = join(root, 'enrolled');
  mkdirSync(join(home, 'signer'), { recursive: true });
  mkdirSync(join(home, 'run'));
  const key = {
    address: '',
    pub_key: { type: 'tendermint/PubKeyEd25519', value: rawPublic.toString('base64') },
    priv_key: { type: 'tendermint/PrivKeyEd25519', value: rawPrivate.toString('base64') },
  };
  writeFileSync(join(home, 'signer/priv_validator_key.json'), JSON.stringify(key), { mode: 0o600 });
  writeFileSync(join(home, 'node.toml'), 'fleet = "demo"\nnode = "a"\nkind = "validator"\n');
  writeConfig(home, {});
  const enrolled = await run([
    beam,
    'signer',
    'enrol',
    '--guard',
    'local',
    '--chain-not-started',
    '--yes',
    '--home',
    home,
  ]);
  if (enrolled.code !== 0) throw new Error(`the enrolment failed: ${enrolled.words}`);
  return home;
}

async function until(met) {
  const untilMs = Date.now() + runMsMax;
  while (!met() && Date.now() < untilMs) await new Promise((done) => setTimeout(done, 20));
}

/** @returns what went wrong, and how long things took. */
async function tryWay(binary, tag, way, enrolled) {
  const home = join(root, `${tag}-${way.replaceAll(' ', '-')}`);
  cpSync(enrolled, home, { recursive: true });
  const byTcp = way !== 'unix';
  const laddr = byTcp ? `tcp://127.0.0.1:${await freePort()}` : `unix://${join(home, 'run/signer.sock')}`;
  const keeps = way === 'tcp pinned';
  const wrong = way === 'tcp wrongly pinned';
  const faults = [];
  const took = [];
  let signer;
  let done;
  let logAtEnd = '';
  let checks = 0;
  const logFile = join(home, 'signer.log');
  const startSigner = () => {
    signer = start(process.execPath, [beam, 'signer', 'start', '--home', home], {
      stdio: ['ignore', 'ignore', openSync(logFile, 'a')],
    });
  };
  const hear = (line) => {
    if ('check' in line) {
      checks += 1;
      if (!line.ok) faults.push(`${line.check}: ${line.error}`);
      else if (line.ms !== undefined) took.push(line.ms);
    }
    if (line.restart) {
      signer.once('close', () => {
        startSigner();
        node.stdin.write('on\n');
      });
      signer.kill('SIGKILL');
    }
    if (line.done) {
      done = line;
      logAtEnd = readFileSync(logFile, 'utf8');
      node.stdin.end();
    }
  };
  const pin = wrong ? rawPublic.toString('base64') : keeps ? listenerKey() : 'unpinned';
  writeConfig(home, byTcp ? { node: laddr, node_key: pin } : {});
  startSigner();
  // As on a server that starts: the signer dials before there is a node.
  await until(() => readFileSync(logFile, 'utf8').includes('can not be dialled yet'));
  const node = start(
    binary,
    ['-listen', laddr, '-public-key', rawPublic.toString('base64')]
      .concat(keeps ? ['-key-secret', secret] : [])
      .concat(wrong ? ['-connect-only'] : []),
    { stdio: ['pipe', 'pipe', 'pipe'] },
  );
  createInterface({ input: node.stdout }).on('line', (text) => {
    try {
      hear(JSON.parse(text));
    } catch (error) {
      faults.push(`${error.message}: ${text}`);
    }
  });
  let words = '';
  node.stderr.on('data', (text) => (words += text));
  const timer = setTimeout(() => {
    faults.push(`not done within ${runMsMax / 1000} s`);
    node.kill('SIGKILL');
  }, runMsMax);
  await new Promise((end) => node.on('close', end));
  clearTimeout(timer);
  if (signer && signer.exitCode === null && signer.signalCode === null) {
    const ended = new Promise((end) => signer.on('close', end));
    signer.kill('SIGTERM');
    await ended;
  }
  if (!done) faults.push(`the node ended early: ${words.trim().split('\n').slice(0, 5).join(' | ')}`);
  else if (wrong) {
    checks += 1;
    if (done.connected) faults.push('a signer that pins another key connected');
    // By now the signer has ended, and has said all that it had to say.
    if (!readFileSync(logFile, 'utf8').includes('another node than the one in [signer] node_key'))
      faults.push('its log does not say why');
  } else {
    // At its start, after the drop, after its restart: no connection was lost but those.
    const connections = logAtEnd.split('"connected to the node"').length - 1;
    if (connections !== 3) faults.push(`${connections} connections in place of 3`);
  }
  if (faults.length > 0) faults.push(`see ${home}`);
  return { faults, took, checks };
}

function compareFixtures(binary, tag) {
  const made = spawnSync(binary, ['-fixtures'], { encoding: 'utf8' });
  const file = join(fixtures, `${tag}.json`);
  if (made.status !== 0) return [`it made no fixtures: ${made.stderr}`];
  if (writesFixtures) {
    mkdirSync(fixtures, { recursive: true });
    writeFileSync(file, made.stdout);
    return [];
  }
  return isDeepStrictEqual(JSON.parse(made.stdout), JSON.parse(readFileSync(file, 'utf8')))
    ? []
    : [`what it sends is not what ${file} has`];
}

let passed = 0;
let failed = 0;
function tell(name, faults, detail) {
  if (faults.length === 0) passed += 1;
  else failed += 1;
  console.log(
    faults.length === 0 ? `ok   ${name}  ${detail}` : `FAIL ${name}\n     ${faults.join('\n     ')}`,
  );
}

const enrolled = await enrolledHome();
for (const { tag, version } of versions) {
  if (asked.length > 0 && !asked.includes(tag)) continue;
  const name = `CometBFT ${version}`;
  const beganMs = Date.now();
  const built = build(tag);
  const builtMs = Date.now() - beganMs;
  if (built.skip) {
    console.log(`skip ${name}: its modules can not be had here: ${built.skip}`);
    continue;
  }
  if (built.fault) {
    tell(name, [`it does not build: ${built.fault}`], '');
    continue;
  }
  if (builtMs > 2000) console.log(`     ${name} built in ${Math.round(builtMs / 1000)} s`);
  tell(`${name}, bytes`, compareFixtures(built.binary, tag), 'the requests are those of the unit tests');
  const results = await Promise.all(ways.map((way) => tryWay(built.binary, tag, way, enrolled)));
  results.forEach(({ faults, took, checks }, index) => {
    const [first, , dropped, restarted] = took;
    const times =
      took.length > 0
        ? `first key after ${first} ms; next vote after a drop ${dropped} ms, after a kill ${restarted} ms`
        : 'never connected';
    tell(`${name}, ${ways[index]}`, faults, `${checks} checks; ${times}`);
  });
}
rpc.close();
if (failed === 0) rmSync(root, { recursive: true, force: true });
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 || passed === 0 ? 1 : 0);
