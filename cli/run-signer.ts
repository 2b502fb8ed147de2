/** The work of `beam signer …`. */

import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { showPosition } from '../protocol/sign-position.ts';
import type { JournalEntry, SignerStatus } from '../protocol/signer-control.ts';
import { compareJournals, readJournal, signerStatus } from '../signer/ask.ts';
import { type EnrolPlan, enrol, join as joinFleet } from '../signer/enrol.ts';
import type { EnrolProgress } from '../signer/floor.ts';
import { readHome } from '../signer/home.ts';
import { encryptKeyFile } from '../signer/keys/encrypt-file.ts';
import { readPassphrase } from '../signer/keys/passphrase.ts';
import { badInput, say, tell } from './command-line.ts';
import { CliError, exitCodes } from './errors.ts';
import { onInterrupt } from './interrupt.ts';
import type { EncryptKeyOptions, EnrolOptions, HomeOptions, JournalOptions } from './options.ts';
import { becomeBundle, homeOf } from './run-server.ts';

export function runSigner(options: HomeOptions): Promise<never> {
  return becomeBundle('signer', ['--home', homeOf(options)]);
}

export async function enrolKey(options: EnrolOptions): Promise<number> {
  const { guard, dryRun = false, yes = false } = options;
  const home = homeOf(options);
  mayAsk(options, 'enrolment');
  const interrupt = onInterrupt(() => {});
  let planned: EnrolPlan | undefined;
  try {
    const plan = await enrol({
      home,
      guard,
      chainNotStarted: options.chainNotStarted === true,
      imports: options.import ?? [],
      onProgress: tellProgress,
      confirm: async (found) => {
        planned = found;
        if (dryRun) return false;
        return yes || (await askedToEnrol(found));
      },
      signal: interrupt.signal,
    });
    tell(options, { enrolled: true, ...plan }, () => `enrolled:\n${describePlan(plan)}`);
    return 0;
  } catch (error) {
    if (!dryRun || !planned) throw error;
    const would = planned;
    tell(options, { enrolled: false, dryRun, ...would }, () => `would enrol:\n${describePlan(would)}`);
    return 0;
  } finally {
    interrupt.release();
  }
}

export function tellProgress({ height, quiet, of, signed }: EnrolProgress): void {
  say(
    signed
      ? `block ${height} has our signature: another signer runs; waiting for it to end`
      : `block ${height}: ${quiet} of ${of} without our signature`,
  );
}

export function askedToEnrol(plan: EnrolPlan): Promise<boolean> {
  say(describePlan(plan));
  return saysYes('Enrol it? No other signer may have this key.');
}

export async function saysYes(question: string): Promise<boolean> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await lines.question(`${question} [y/N] `)).trim());
  } finally {
    lines.close();
  }
}

/** @returns whether there is somebody to ask. Ends as bad input where there is nobody, and neither --yes nor --dry-run. */
export function mayAsk(options: { yes?: boolean; dryRun?: boolean; json?: boolean }, what: string): boolean {
  const asks = process.stdin.isTTY === true && !options.json;
  if (!options.yes && !options.dryRun && !asks) {
    badInput(`${what} is for good: look at it with --dry-run, then give --yes (there is nobody to ask here)`);
  }
  return asks;
}

export function describePlan({
  guard,
  thing,
  chainId,
  address,
  floor,
  recordKey,
  recordId,
  table,
}: EnrolPlan): string {
  return [
    `  key      ${address} on ${chainId}, here as ${thing}`,
    guard === 'local'
      ? '  guard    local: this server alone signs'
      : `  record   ${recordKey} (${recordId}) in ${table}`,
    `  floor    ${showPosition(floor)}: nothing at or below it is ever signed`,
  ].join('\n');
}

export async function joinRecord(options: HomeOptions): Promise<number> {
  const home = homeOf(options);
  if (options.dryRun) {
    const { thing, chainId, table } = readHome(home);
    tell(
      options,
      { joined: false, dryRun: true, thing, chainId, table },
      `would join as ${thing} on ${chainId}`,
    );
    return 0;
  }
  const plan = await joinFleet({ home });
  tell(options, { joined: true, ...plan }, () => `joined:\n${describePlan(plan)}`);
  return 0;
}

export async function encryptKey(options: EncryptKeyOptions): Promise<number> {
  const from = options.from === undefined ? ownKeyFile(options) : resolve(options.from);
  const out = resolve(options.out ?? join(dirname(from), 'priv_validator_key.encrypted.json'));
  const address = await encryptKeyFile(from, out, readPassphrase(options.passphrase));
  tell(options, { address, from, out }, () =>
    [
      `encrypted the key of ${address} into ${out}, and opened it again with the passphrase`,
      `now set in config.toml, and start the signer:`,
      `  [signer]`,
      `  key = ${JSON.stringify(out)}`,
      `  passphrase = "credential:NAME"   # a systemd credential; or "fd:NUMBER"`,
      `once it signs, remove ${from}, and its copies`,
    ].join('\n'),
  );
  return 0;
}

function ownKeyFile(options: HomeOptions): string {
  const { key } = readHome(homeOf(options));
  if (key.kind === 'kms') badInput('the consensus key is in KMS, not in a file: name the file with --from');
  return key.path;
}

const wellStates: SignerStatus['state'][] = ['active', 'standby', 'local'];

export async function showSigner(options: HomeOptions): Promise<number> {
  const home = homeOf(options);
  const status = await signerStatus(home);
  if (!status) {
    throw new CliError(
      `no signer answers for ${home}: start it with \`beam signer start --home ${home}\``,
      exitCodes.failed,
    );
  }
  tell(options, status, () => describeSigner(status));
  return wellStates.includes(status.state) ? 0 : exitCodes.failed;
}

function describeSigner(status: SignerStatus): string {
  const { record, beat } = status;
  const rows: [string, string][] = [
    [
      'state',
      `${status.state}, epoch ${status.epoch}${status.code ? `, code ${status.code}` : ''}${status.reason ? `: ${status.reason}` : ''}`,
    ],
    ['key', `${status.address} on ${status.chainId}, guard ${status.guard}`],
    ['released', `${showPosition(status.released)}; ${status.signed} signed, ${status.refused} refused`],
    ['node', status.nodeConnected ? 'connected' : 'not connected'],
  ];
  if (record) {
    const grant =
      record.grantEpoch > record.epoch ? `; granted to ${record.grantTo}, ${record.grantEpoch}` : '';
    rows.push([
      'record',
      `${status.recordKey ? `${status.recordKey}: ` : ''}epoch ${record.epoch}, holder ${record.holder || 'nobody'}, ${showPosition(record.position)}, ${Math.round(record.ageMs)} ms old${grant}`,
    ]);
  }
  if (beat) {
    rows.push([
      'beat',
      `${beat.lost ? 'LOST' : 'alive'}, still for ${Math.round(beat.stillMs)} ms${beat.yielded ? ', yielded' : ''}`,
    ]);
  }
  return rows.map(([name, text]) => `${name.padEnd(9)} ${text}`).join('\n');
}

export async function showJournal(options: JournalOptions): Promise<number> {
  const home = homeOf(options);
  if (options.compare) {
    const folders = [home, ...options.compare].map((folder) => readHome(folder).stateDir);
    const conflicts = compareJournals(folders);
    tell(options, { conflicts }, () =>
      conflicts.length === 0
        ? 'no position was signed with two different blocks'
        : conflicts
            .map(({ height, round, type, released }) => {
              const blocks = released.map(
                ({ blockId, things }) => `${blockId || 'nil'} by ${things.join(', ')}`,
              );
              return `${height}/${round}/${type}: ${blocks.join('; ')}`;
            })
            .join('\n'),
    );
    return conflicts.length === 0 ? 0 : exitCodes.failed;
  }
  const entries = readJournal(home).slice(-options.last);
  tell(options, entries, () => entries.map(describeEntry).join('\n') || 'nothing was signed here');
  return 0;
}

function describeEntry({ at, height, round, type, blockId, epoch }: JournalEntry): string {
  return `${at}  ${height}/${round} ${type.padEnd(9)}  epoch ${epoch}  ${blockId === '' ? 'nil' : blockId.slice(0, 16)}`;
}
