/** A node of the stand-in chain and its signer, its configuration, its start, as gaiad's. The chains of all tests run at once. */

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import * as z from 'zod';
import { heightOf, holds, reaches, rpc, setConfig, TestChain } from './stand-in.ts';

test.concurrent('a frozen node that wakes asks for nil at heights that are long decided: a careless signer is found out', () =>
  TestChain.use(['a', 'b'], 0.5, async (chain) => {
    const a = chain.node('a');
    chain.startValidator('a');
    const { child, signer } = chain.startValidator('b');
    await reaches(a, 2);
    await holds(async () => (await heightOf(chain.node('b'))) >= 1);
    child.kill('SIGSTOP');
    await reaches(a, (await heightOf(a)) + 4);
    child.kill('SIGCONT');
    await holds(() => signer.asked.filter((asked) => asked.endsWith('/2 nil')).length >= 2);
    const validators = z.object({ count: z.string() });
    await holds(async () => (await rpc(a, 'validators', validators)).count === '3');
  }));

test.concurrent('a configuration that gaiad would refuse ends the start, with the name of the setting', () =>
  TestChain.use(['a'], 1, async (chain) => {
    const a = chain.node('a');
    const path = join(a.home, 'config/config.toml');
    const good = readFileSync(path, 'utf8');
    const refused: [string, string, string][] = [
      ['timeout_commit = "1000ms"', 'timeout_commit = "-1s"', 'consensus.timeout_commit'],
      ['pex = true', 'pex = "perhaps"', 'p2p.pex'],
      ['moniker = "a"', 'moniker = [', 'While parsing config'],
    ];
    for (const [from, to, named] of refused) {
      writeFileSync(path, good.replace(from, to));
      const { exited, output } = chain.startNode(a);
      expect(await exited).toBe(1);
      expect(output()).toContain(named);
    }
  }));

test.concurrent('no signer, or a stale socket, ends the start as gaiad does', () =>
  TestChain.use(['a'], 1, async (chain) => {
    const a = chain.node('a');
    setConfig(a, { priv_validator_laddr: `unix://${a.socket}` });
    const waiting = chain.startNode(a);
    expect(await waiting.exited).toBe(1);
    expect(waiting.output()).toContain("can't get pubkey: send: endpoint connection timed out");
    expect(existsSync(a.socket)).toBe(true);
    const blocked = chain.startNode(a);
    expect(await blocked.exited).toBe(1);
    expect(blocked.output()).toContain('address already in use');
    // After an orderly end it is there all the same.
    const { child, exited, output } = chain.startValidator('a');
    await holds(() => output().includes('started'));
    child.kill('SIGTERM');
    expect(await exited).toBe(0);
    expect(existsSync(a.socket)).toBe(true);
  }));

test.concurrent('a signer that was away is asked again; its node alone waits for it', () =>
  TestChain.use(['a', 's'], 1, async (chain) => {
    const [a, s] = [chain.node('a'), chain.node('s')];
    const { signer } = chain.startValidator('a');
    chain.startNode(s);
    await reaches(a, 2);
    signer.stop();
    await reaches(s, (await heightOf(a)) + 3);
    expect((await heightOf(s)) - (await heightOf(a))).toBeGreaterThanOrEqual(1);
    const again = chain.startSigner(a);
    await holds(async () => (await heightOf(s)) - (await heightOf(a)) <= 0, 10_000);
    await holds(async () => chain.signedBy(s, (await heightOf(s)) - 1));
    // What the chain decided meanwhile was asked for too, as nil.
    expect(again.asked.some((asked) => asked.endsWith('nil'))).toBe(true);
  }));
