/** What nodes of the stand-in chain decide, and when: votes come in time or they don't. The chains of all tests run at once. */

import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { WebSocket } from 'ws';
import * as z from 'zod';
import { duplicateVotes } from './duplicate-votes.ts';
import {
  chainId,
  commitShape,
  heightOf,
  holds,
  reaches,
  rpc,
  setConfig,
  status,
  TestChain,
  type TestNode,
} from './stand-in.ts';

test.concurrent('a signer gets into every commit, asked in the order of gaiad', () =>
  TestChain.use(['a'], 1, async (chain) => {
    const a = chain.node('a');
    const { signer } = chain.startValidator('a');
    await reaches(a, 8);
    expect(await chain.signedFrom(a, 1, 7)).toBe(7);
    expect(signer.asked.slice(0, 4)).toEqual(['pubKey', 'pubKey', 'pubKey', 'pubKey']);
    const text = signer.asked.join(' ');
    expect(text).toMatch(/ 2\/0\/1 2\/0\/2 pubKey /);
    expect(text).toMatch(/ (\d)\/0\/32 \1\/0\/1 \1\/0\/2 pubKey/);
    expect((await status(a)).node_info.version).toContain('stand-in');
    expect((await rpc(a, 'commit?height=7', commitShape)).canonical).toBe(true);
    const beyond = await fetch(`${a.rpc}/block?height=1000`);
    expect(beyond.status).toBe(500);
    expect(await beyond.text()).toContain('must be less than or equal to the current blockchain height');

    const socket = new WebSocket(`${a.rpc.replace('http', 'ws')}/websocket`);
    const messages: string[] = [];
    socket.on('message', (data) => messages.push(data.toString()));
    await new Promise((resolve) => socket.once('open', resolve));
    const query = "tm.event='NewBlock'";
    socket.send(JSON.stringify({ jsonrpc: '2.0', id: 7, method: 'subscribe', params: { query } }));
    await holds(() => messages.length >= 3);
    socket.terminate();
    expect(messages[0]).toBe('{"jsonrpc":"2.0","id":7,"result":{}}');
    expect(messages[1]).toContain('"type":"tendermint/event/NewBlock"');
  }));

test.concurrent('a refusing standby stays level; it takes over when the first node is killed, and the chain never stops', () =>
  TestChain.use(['a', 'b', 's'], 1, async (chain) => {
    const [a, b, s] = [chain.node('a'), chain.node('b'), chain.node('s')];
    const sentryPeer = `${s.nodeId}@127.0.0.1:${s.p2pPort}`;
    for (const node of [a, b]) setConfig(node, { pex: false, persistent_peers: sentryPeer });
    let standby = true;
    const first = chain.startValidator('a');
    chain.startValidator('b', () => (standby ? { refuse: 'stands by' } : 'sign'));
    chain.startNode(s);
    await reaches(b, 4);
    expect(await chain.signedFrom(b, 2, 3)).toBe(2);
    const peersOf = async (node: TestNode) =>
      (await rpc(node, 'net_info', z.object({ n_peers: z.string() }))).n_peers;
    expect([await peersOf(a), await peersOf(b), await peersOf(s)]).toEqual(['1', '1', '2']);

    first.child.kill('SIGKILL');
    standby = false;
    const killedAt = await heightOf(b);
    await reaches(b, killedAt + 5);
    expect(await chain.signedFrom(b, killedAt + 1, killedAt + 4)).toBeGreaterThanOrEqual(3);
    await holds(async () => (await peersOf(s)) === '1');
    const block = await rpc(
      b,
      'block',
      z.object({ block: z.object({ evidence: z.object({ evidence: z.array(z.any()) }) }) }),
    );
    expect(block.block.evidence.evidence).toEqual([]);
    expect(Math.abs((await heightOf(s)) - (await heightOf(b)))).toBeLessThanOrEqual(1);
  }));

test.concurrent('two votes at one position: evidence in a block, a slash, and out of the set', () =>
  TestChain.use(['a', 'b'], 0.5, async (chain) => {
    const [a, b] = [chain.node('a'), chain.node('b')];
    chain.startValidator('a');
    chain.startValidator('b');
    await reaches(a, 1);
    // Their nodes' votes agree as long as both are level, so the second vote comes from outside.
    const height = (await heightOf(a)) - 1;
    const evidence = duplicateVotes({ seed: chain.seed, chainId, height });
    const answer = await fetch(a.rpc, {
      method: 'POST',
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'broadcast_evidence', params: { evidence } }),
    });
    expect(answer.status).toBe(200);
    const validators = z.object({ validators: z.array(z.object({ address: z.string() })) });
    await holds(async () => {
      const { validators: now } = await rpc(b, 'validators', validators);
      return now.every(({ address }) => address !== chain.address);
    });
    const results = z.object({ finalize_block_events: z.array(z.object({ type: z.string() })) });
    const head = await heightOf(b);
    const found: string[] = [];
    for (let at = 1; at <= head; at++) {
      const text = JSON.stringify(await rpc(b, `block?height=${at}`, z.unknown()));
      if (text.includes('tendermint/DuplicateVoteEvidence')) {
        const { finalize_block_events } = await rpc(b, `block_results?height=${at}`, results);
        found.push(...finalize_block_events.map(({ type }) => type));
      }
    }
    expect(found).toEqual(['slash']);
  }));

test.concurrent('a node that starts late catches up; one without a way to the chain stands', () =>
  TestChain.use(['a', 'late', 'lost'], 0.5, async (chain) => {
    const [a, late, lost] = [chain.node('a'), chain.node('late'), chain.node('lost')];
    setConfig(lost, { pex: false, persistent_peers: `${'0'.repeat(40)}@127.0.0.1:${a.p2pPort}` });
    // This one signs by itself, as gaiad with a key file in its home.
    copyFileSync(chain.keyFile, join(a.home, 'config/priv_validator_key.json'));
    chain.startNode(a);
    const { output } = chain.startNode(lost);
    await reaches(a, 6);
    expect(await chain.signedFrom(a, 2, 5)).toBe(4);
    setConfig(late, { pex: false, persistent_peers: `${a.nodeId}@127.0.0.1:${a.p2pPort}` });
    chain.startNode(late);
    const startedAt = Date.now();
    const seen = new Set<boolean>();
    await holds(async () => {
      const { sync_info } = await status(late);
      seen.add(sync_info.catching_up);
      return !sync_info.catching_up && sync_info.latest_block_height >= (await heightOf(a)) - 1;
    }, 4_000);
    expect([...seen].sort()).toEqual([false, true]);
    expect(Date.now() - startedAt).toBeLessThan(4_000);
    expect(await status(lost)).toMatchObject({ sync_info: { latest_block_height: 0, catching_up: true } });
    expect(output()).toContain('mismatch');
  }));
