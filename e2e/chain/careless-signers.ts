/**
 * `npm run soak:control`: the control run of the soak's checks. Two nodes of one validator on a real chain, each with a signer of this
 * test's own that signs whatever it is asked and guards nothing. The very checks that the soak makes after each fault must
 * report conflicts in the journals, evidence on the chain and a tombstoned validator: a check that can't fire proves nothing.
 * The last line is one JSON object; exit 0 only if every check fired.
 */

import { createHash } from 'node:crypto';
import { appendFileSync, mkdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import * as z from 'zod';
import type { MadeChain } from '../../local-fleet/chains/chain.ts';
import { latestHeight } from '../../local-fleet/chains/observe.ts';
import { sdkChain } from '../../local-fleet/chains/sdk-chain.ts';
import { changeToml } from '../../local-fleet/chains/sdk-home.ts';
import { consensusAddressOf } from '../../local-fleet/data/consensus-key.ts';
import { endedBySignal } from '../../local-fleet/processes/ended-by-signal.ts';
import { freePorts } from '../../local-fleet/processes/ports.ts';
import { Runner } from '../../local-fleet/processes/runner.ts';
import { judgeSafety, SafetyCheck, type SafetyFindings } from '../../local-fleet/soak/checks.ts';
import { keepJournals } from '../../local-fleet/soak/keep-soak.ts';
import type { JournalEntry } from '../../protocol/signer-control.ts';
import { blockIdText, timestampText } from '../../signer/core/request.ts';
import type { PrivvalRequest } from '../../signer/privval/messages.ts';
import { TestSigner } from '../test-signer.ts';
import { chainBinary } from './chain-binary.js';

/** Our proposer's turn comes each fourth block: both nodes then propose, each a block of its own. */
const minutesMax = 2.5;
const lookEveryMs = 1_000;
const blockSeconds = 1.3;
const chainId = 'beam-careless';
/** Validators' nodes of ours, side by side. */
const nodeNames = ['a', 'b'] as const;

const say = (line: string) => process.stderr.write(`${line}\n`);

const keyFile = z.object({ priv_key: z.object({ value: z.base64() }) });

/** Keeps a journal as Beam's signer does: a line is written before the signature leaves. */
function carelessSigner(chain: MadeChain, name: string, socket: string, folder: string): TestSigner {
  mkdirSync(folder, { recursive: true });
  const { priv_key } = keyFile.parse(JSON.parse(readFileSync(chain.consensusKeyFile, 'utf8')));
  return new TestSigner({
    seed: Buffer.from(priv_key.value, 'base64').subarray(0, 32),
    path: socket,
    chainId,
    decide: (request) => {
      const entry = journalled(request, name);
      if (entry) appendFileSync(join(folder, 'journal.jsonl'), `${JSON.stringify(entry)}\n`);
      return 'sign';
    },
  });
}

function journalled(request: PrivvalRequest, name: string): JournalEntry | undefined {
  if (request.kind !== 'signVote' && request.kind !== 'signProposal') return undefined;
  const signed = request.kind === 'signVote' ? request.vote : request.proposal;
  const type =
    request.kind === 'signProposal' ? 'proposal' : request.vote.type === 1 ? 'prevote' : 'precommit';
  return {
    at: new Date().toISOString(),
    chainId,
    height: Number(signed.height),
    round: signed.round,
    type,
    blockId: blockIdText(signed.blockId),
    timestamp: timestampText(signed.timestamp),
    signBytesHash: createHash('sha256')
      .update(JSON.stringify([name, type, signed.round]))
      .digest('hex'),
    epoch: 0,
    thing: name,
  };
}

async function makeChain(binary: string, data: string): Promise<{ chain: MadeChain; rpcs: string[] }> {
  const ports = await freePorts(nodeNames.length * 2);
  const nodes = nodeNames.map((name, index) => ({
    name,
    kind: 'validator' as const,
    p2pPort: ports[index * 2] ?? 0,
    rpcPort: ports[index * 2 + 1] ?? 0,
  }));
  const chain = await sdkChain(binary).make({
    out: join(data, 'chain'),
    chainId,
    blockSeconds,
    nodes,
    freePorts,
  });
  return { chain, rpcs: chain.others.map(({ rpc }) => rpc) };
}

interface Control {
  ok: boolean;
  seconds: number;
  height: number;
  conflicts: number;
  evidence: number;
  tombstoned: boolean;
  jailed: boolean;
  /** What the checks said against the two signers. */
  reported: string[];
  /** Checks that did not fire. */
  silent: string[];
}

async function control(binary: string, data: string, signal: AbortSignal): Promise<Control> {
  const startedMs = performance.now();
  const { chain, rpcs } = await makeChain(binary, data);
  const runner = new Runner(join(data, 'processes.json'), (event) => {
    if (event.type !== 'started') say(`  ${event.name} ${event.type}`);
  });
  const signers: TestSigner[] = [];
  const folders: string[] = [];
  let findings: SafetyFindings | undefined;
  try {
    for (const name of nodeNames) {
      const home = chain.homes[name]?.home ?? '';
      const socket = join(data, `${name}.sock`);
      await changeToml(join(home, 'config/config.toml'), {
        '': { priv_validator_laddr: `unix://${socket}` },
      });
      const folder = join(data, name);
      folders.push(folder);
      signers.push(carelessSigner(chain, name, socket, folder).start());
      const command = [...chain.binary, 'start', '--home', home, ...chain.startArguments];
      runner.start({ name, command, cwd: data, logFile: join(data, 'logs', `${name}.log`) });
    }
    for (const { name, command } of chain.others) {
      runner.start({ name, command, cwd: data, logFile: join(data, 'logs', `${name}.log`) });
    }
    const [rpc = ''] = rpcs;
    const check = new SafetyCheck({
      rpc,
      binary: chain.binary,
      consensusKeyFile: chain.consensusKeyFile,
      address: consensusAddressOf(chain.consensusKeyFile),
    });
    for (const folder of folders) check.addJournal(folder);
    let shown = 0;
    while (performance.now() - startedMs < minutesMax * 60_000) {
      await delay(lookEveryMs, undefined, { signal });
      if ((await latestHeight(rpc).catch(() => 0)) < 2) continue;
      findings = await check.look();
      const reported = judgeSafety(findings);
      if (reported.length > shown) say(`height ${findings.height}: ${reported.join('; ')}`);
      shown = Math.max(shown, reported.length);
      if (silentIn(findings).length === 0) break;
    }
  } finally {
    for (const signer of signers) signer.stop();
    await runner.stopAll();
  }
  const silent = silentIn(findings);
  const result: Control = {
    ok: silent.length === 0,
    seconds: Math.round((performance.now() - startedMs) / 100) / 10,
    height: findings?.height ?? 0,
    conflicts: findings?.conflicts.length ?? 0,
    evidence: findings?.evidence ?? 0,
    tombstoned: findings?.tombstoned ?? false,
    jailed: findings?.jailed ?? false,
    reported: findings ? judgeSafety(findings) : [],
    silent,
  };
  if (!result.ok) {
    const kept = await mkdtemp(join(tmpdir(), 'beam-control-failed-'));
    await keepJournals(kept, data, folders, result);
    say(`its journals are in ${kept}`);
  }
  return result;
}

function silentIn(findings: SafetyFindings | undefined): string[] {
  const fired = {
    conflicts: (findings?.conflicts.length ?? 0) > 0,
    evidence: (findings?.evidence ?? 0) > 0,
    tombstoned: findings?.tombstoned ?? false,
    jailed: findings?.jailed ?? false,
  };
  return Object.entries(fired).flatMap(([name, did]) => (did ? [] : [name]));
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { chain: { type: 'string' }, json: { type: 'boolean', default: false } },
  });
  const ended = endedBySignal();
  const data = await mkdtemp(join(tmpdir(), 'beam-careless-'));
  try {
    const binary = resolve(chainBinary(values.chain));
    say(`control run: two careless signers on ${binary}`);
    const result = await control(binary, data, ended);
    process.stdout.write(`${JSON.stringify(result, null, values.json ? undefined : 2)}\n`);
    return result.ok ? 0 : 1;
  } finally {
    await rm(data, { recursive: true, force: true, maxRetries: 3 });
  }
}

process.exit(await main());
