/**
 * The functions that there are: those that came with the program, and those that the API made, which are on disk with
 * their code. One that the API changes is its own from then on.
 */

import { createHash, randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { accountId, region } from '../registry/arns.ts';
import { AwsError, notFound, notImplemented } from '../registry/aws-error.ts';
import type { Store } from '../store/store.ts';
import { codeFolder, codeHash, filesOf, forgetOther, unpack } from './code.ts';
import type { FunctionRecord, PermissionStatement } from './records.ts';
import type { RunnableFunction } from './runner.ts';

/** Invocations at a time of a function that has none reserved. */
const concurrencyDefault = 10;
const retriesMaxDefault = 2;
const eventAgeSecondsDefault = 21_600;

/** A function that came with the program. */
export interface BundledFunction {
  record: FunctionRecord;
  codeDir: string;
  /** The zip of the same code. */
  zipFile: string;
}

export interface FunctionsOptions {
  store: Store;
  /** Where code is unpacked. */
  codeRoot: string;
  bundled: readonly BundledFunction[];
  nowMs: () => number;
}

/** What runs functions, told of each change. */
export interface FunctionsListener {
  put(definition: RunnableFunction): void;
  remove(name: string): void;
}

export const functionArn = (name: string) => `arn:aws:lambda:${region}:${accountId}:function:${name}`;

export class Functions {
  readonly #options: FunctionsOptions;
  readonly #bundled: ReadonlyMap<string, BundledFunction>;
  #listener: FunctionsListener | undefined;

  constructor(options: FunctionsOptions) {
    this.#options = options;
    this.#bundled = new Map(options.bundled.map((each) => [each.record.name, each]));
  }

  listen(listener: FunctionsListener): void {
    this.#listener = listener;
  }

  /** Every function, unpacked and ready to run. A stored one whose code is lost or broken says so at its invocation. */
  runnable(): RunnableFunction[] {
    return this.all().map(({ name }) => {
      const stored = this.#options.store.functions.get(name);
      if (stored) this.#unpackStored(stored);
      return this.#runnable(name);
    });
  }

  #unpackStored({ name, codeSha256 }: FunctionRecord): void {
    const { store, codeRoot } = this.#options;
    if (existsSync(codeFolder(codeRoot, name, codeSha256))) return;
    const zip = Buffer.from(store.functionCode.get(name) ?? '', 'base64');
    unpack(codeRoot, name, codeSha256, filesOf(zip));
  }

  #runnable(name: string): RunnableFunction {
    const record = this.get(name);
    const bundled = this.#options.store.functions.has(name) ? undefined : this.#bundled.get(name);
    const { deadLetterArn } = record;
    return {
      name,
      handler: record.handler,
      codeDir: bundled?.codeDir ?? codeFolder(this.#options.codeRoot, name, record.codeSha256),
      timeoutSeconds: record.timeoutSeconds,
      memoryMb: record.memoryMb,
      concurrency: record.reservedConcurrency ?? concurrencyDefault,
      environment: record.environment,
      retriesMax: record.retriesMax ?? retriesMaxDefault,
      eventAgeSecondsMax: record.eventAgeSecondsMax ?? eventAgeSecondsDefault,
      ...(deadLetterArn !== undefined && { deadLetterArn }),
    };
  }

  all(): FunctionRecord[] {
    const { store } = this.#options;
    const names = new Set([
      ...this.#bundled.keys(),
      ...[...store.functions.values()].map(({ name }) => name),
    ]);
    return [...names].sort().map((name) => this.get(name));
  }

  /** A bundled function's hash is that of the zip beside it, and read only when somebody asks. */
  find(name: string): FunctionRecord | undefined {
    return this.#options.store.functions.get(name) ?? this.#bundled.get(name)?.record;
  }

  /** @throws AwsError */
  get(name: string): FunctionRecord {
    const record = this.find(name);
    if (!record) throw notFound(`Function not found: ${functionArn(name)}`);
    return record;
  }

  /** The record with its code's hash and size filled in. */
  described(name: string): FunctionRecord {
    const record = this.get(name);
    if (record.codeSha256 !== '') return record;
    const zip = this.#bundledZip(name);
    return { ...record, codeSha256: codeHash(zip), codeBytes: zip.length };
  }

  #bundledZip(name: string): Buffer {
    const file = this.#bundled.get(name)?.zipFile;
    if (file === undefined || !existsSync(file))
      throw notImplemented(`the zip of ${name} (${file}), which came with the program`);
    return readFileSync(file);
  }

  /** @throws AwsError */
  async create(
    record: Omit<FunctionRecord, 'codeSha256' | 'codeBytes'>,
    zip: Buffer,
  ): Promise<FunctionRecord> {
    if (this.find(record.name))
      throw new AwsError(409, 'ResourceConflictException', `Function already exist: ${record.name}`);
    return this.#store({ ...record, codeSha256: '', codeBytes: 0 }, zip);
  }

  async updateCode(name: string, zip: Buffer): Promise<FunctionRecord> {
    return this.#store(this.get(name), zip);
  }

  /** @param act what becomes of the record */
  async change(name: string, act: (record: FunctionRecord) => FunctionRecord): Promise<FunctionRecord> {
    const stored = this.#options.store.functions.has(name);
    return this.#store(act(this.get(name)), stored ? undefined : this.#bundledZip(name));
  }

  async #store(given: FunctionRecord, zip: Buffer | undefined): Promise<FunctionRecord> {
    const { store, codeRoot, nowMs } = this.#options;
    const files = zip && filesOf(zip);
    const record: FunctionRecord = {
      ...given,
      ...(zip && { codeSha256: codeHash(zip), codeBytes: zip.length }),
      revisionId: randomUUID(),
      modifiedAtMs: nowMs(),
    };
    const { name, codeSha256 } = record;
    if (files) unpack(codeRoot, name, codeSha256, files);
    await store.transact(() => {
      store.functions.set(name, record);
      if (zip) store.functionCode.set(name, zip.toString('base64'));
    });
    this.#listener?.put(this.#runnable(name));
    return record;
  }

  async remove(name: string): Promise<void> {
    const { store, codeRoot } = this.#options;
    this.get(name);
    if (!store.functions.has(name)) {
      throw new AwsError(
        409,
        'ResourceConflictException',
        `${name} came with the program, and would be back at its next start`,
      );
    }
    await store.transact(() => {
      store.functions.unset(name);
      store.functionCode.unset(name);
    });
    if (this.#bundled.has(name)) this.#listener?.put(this.#runnable(name));
    else this.#listener?.remove(name);
    forgetOther(codeRoot, name, undefined);
  }

  /** At the start: code of versions that are no more. */
  forgetOldCode(): void {
    const { store, codeRoot } = this.#options;
    for (const { name, codeSha256 } of store.functions.values())
      forgetOther(codeRoot, name, codeFolder(codeRoot, name, codeSha256));
  }

  /** Whether the function's policy lets a service of AWS invoke it on behalf of a resource. */
  mayInvoke(name: string, service: string, sourceArn: string): boolean {
    return this.get(name).policy.some((statement) => allows(statement, service, sourceArn));
  }
}

function allows(statement: PermissionStatement, service: string, sourceArn: string): boolean {
  const { Principal, Action, Condition } = statement;
  const principal = typeof Principal === 'object' && 'Service' in Principal ? Principal.Service : undefined;
  if (Principal !== '*' && principal !== service) return false;
  if (!['lambda:InvokeFunction', 'lambda:*', '*'].includes(Action)) return false;
  const like = Condition?.ArnLike?.['AWS:SourceArn'];
  const account = Condition?.StringEquals?.['AWS:SourceAccount'];
  if (account !== undefined && account !== accountId) return false;
  return like === undefined || arnLike(like, sourceArn);
}

/** `*` and `?` within each of an ARN's six parts. */
function arnLike(pattern: string, arn: string): boolean {
  const parts = (text: string) => {
    const all = text.split(':');
    return [...all.slice(0, 5), all.slice(5).join(':')];
  };
  const given = parts(arn);
  return parts(pattern).every((part, index) => {
    const source = part
      .replace(/[.+^${}()|[\]\\]/g, '\\$&')
      .replaceAll('*', '.*')
      .replaceAll('?', '.');
    return new RegExp(`^${source}$`).test(given[index] ?? '');
  });
}

/** A digest for `revisionId`s that must not change with each start. */
export function steadyId(text: string): string {
  const hex = createHash('sha256').update(text).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
