/** Plays gaiad in the pilot's tests: `fake-gaiad.js start --home H`. It is no chain: heights rise by the clock. */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';

const home = process.argv[process.argv.indexOf('--home') + 1];
const text = readFileSync(join(home, 'config/config.toml'), 'utf8');
const setting = (name) => new RegExp(`^${name} *= *"?([^"\\n]*)"?`, 'm').exec(text)?.[1] ?? '';
if (setting('moniker') === 'bad') {
  process.stderr.write('Error: bad is no moniker\n');
  process.exit(1);
}
const power = setting('moniker') === 'self-signing' ? '10' : '0';
const blockMs = 50;
/** All fakes agree on the height: a chain that is made at a fixed time. */
const genesisMs = Number(setting('genesis'));
const height = () => Math.floor((Date.now() - genesisMs) / blockMs) + 1;

const answers = {
  '/status': () => ({
    node_info: { id: 'a'.repeat(40), network: 'fake-1', version: '0.38' },
    sync_info: {
      latest_block_height: String(height()),
      latest_block_time: new Date(genesisMs + height() * blockMs).toISOString(),
      catching_up: false,
    },
    validator_info: { address: 'B'.repeat(40), voting_power: power },
  }),
  '/net_info': () => ({ n_peers: '3' }),
  '/abci_info': () => ({ response: { version: 'fake' } }),
};

const server = createServer((request, response) => {
  const answer = answers[new URL(request.url, 'http://x').pathname];
  response.end(JSON.stringify(answer ? { result: answer() } : { error: { message: 'unknown' } }));
});
server.listen(Number(setting('rpc_port')), '127.0.0.1', () => process.stdout.write('started\n'));
process.on('SIGTERM', () => process.exit(0));
