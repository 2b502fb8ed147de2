/**
 * Reads a whole data folder, entry by entry, and says what is broken by its name: values that are no JSON or have another
 * shape than their table's, pairs without their other half, names of what is not there, items that DynamoDB would not find.
 */

import dynalite from 'dynalite/db/index.js';
import * as z from 'zod';
import { fromJsonItem } from '../../protocol/dynamodb-json.ts';
import { beatItem, signRecord, signTableName } from '../../protocol/sign-record.ts';
import { nameInArn } from '../registry/arns.ts';
import { metaPrefix, recordPrefix } from '../store/folder.ts';
import { pairOf } from '../store/store.ts';
import { recordFault } from './records.ts';

export type Half = 'cloud' | 'dynamodb';

export interface Entry {
  half: Half;
  /** `shadows`, `things`, …; of DynamoDB the table's name, or `table` for descriptions. */
  table: string;
  key: string;
  /** JSON, unless it is broken. */
  value: string;
}

export interface Finding {
  /** Half, table and name. */
  place: string;
  what: string;
}

export interface CheckReport {
  ok: boolean;
  /** Entries read, by half and table. */
  read: Record<string, number>;
  findings: Finding[];
  /** Beyond those that are listed. */
  findingsLeftOut: number;
}

/** More are counted only. */
const findingsMax = 1000;

/** A key of the store as an entry: `iot~<table>~<key>`, `item-<table>~<key>`, `table~<name>`, `index-…~…`, `tag-…~…`. */
export function entryOf(levelKey: string, value: string): Entry | undefined {
  if (levelKey.startsWith(metaPrefix)) return undefined;
  const isRecord = levelKey.startsWith(recordPrefix);
  const rest = isRecord ? levelKey.slice(recordPrefix.length) : levelKey;
  const at = rest.indexOf('~');
  const space = rest.slice(0, at);
  return {
    half: isRecord ? 'cloud' : 'dynamodb',
    table: space.startsWith('item-') ? space.slice('item-'.length) : space,
    key: rest.slice(at + 1),
    value,
  };
}

/** Each pair is kept in both orders. */
const mirrors: readonly [string, string][] = [
  ['group-things', 'thing-groups-of'],
  ['policy-targets', 'target-policies'],
  ['thing-principals', 'principal-things'],
];
/** What the first part of a pair names. */
const firstParts: Record<string, string> = {
  'group-things': 'thing-groups',
  'thing-groups-of': 'things',
  'policy-targets': 'policies',
  'thing-principals': 'things',
  'principal-things': 'certificates',
};

const tableDescription = z.looseObject({
  TableName: z.string(),
  TableStatus: z.string(),
  KeySchema: z.array(z.looseObject({ AttributeName: z.string() })).min(1),
  AttributeDefinitions: z.array(
    z.looseObject({ AttributeName: z.string(), AttributeType: z.enum(['S', 'N', 'B']) }),
  ),
});
type TableDescription = z.infer<typeof tableDescription>;

export class FolderCheck {
  readonly #read: Record<string, number> = {};
  readonly #findings: Finding[] = [];
  #leftOut = 0;
  /** Keys of the store's tables: what the pairs are held against. */
  readonly #keys = new Map<string, Set<string>>();
  readonly #parents: [group: string, parent: string][] = [];
  readonly #types: [thing: string, type: string][] = [];
  readonly #tables = new Map<string, TableDescription>();
  /** Items that came before their table's description. */
  #items: { table: string; key: string; item: Record<string, unknown> }[] = [];

  note(place: string, what: string): void {
    if (this.#findings.length < findingsMax) this.#findings.push({ place, what });
    else this.#leftOut++;
  }

  add({ half, table, key, value }: Entry): void {
    const place = `${half}/${table} ${key.replace(' ', '/')}`;
    this.#read[`${half}/${table}`] = (this.#read[`${half}/${table}`] ?? 0) + 1;
    if (half === 'cloud') this.#keysOf(table).add(key);
    const parsed = parse(value);
    const fault =
      'fault' in parsed
        ? parsed.fault
        : half === 'cloud'
          ? this.#addRecord(table, key, parsed.value)
          : this.#addItem(table, key, parsed.value);
    if (fault !== undefined) this.note(place, fault);
  }

  finish(): CheckReport {
    this.#checkPairs();
    for (const [group, parent] of this.#parents) this.#mustBe('thing-groups', parent, 'thing-groups', group);
    for (const [thing, type] of this.#types) this.#mustBe('thing-types', type, 'things', thing);
    for (const { table, key, item } of this.#items.splice(0)) this.#checkItem(table, key, item);
    return {
      ok: this.#findings.length === 0,
      read: this.#read,
      findings: this.#findings,
      findingsLeftOut: this.#leftOut,
    };
  }

  #keysOf(table: string): Set<string> {
    const keys = this.#keys.get(table) ?? new Set();
    this.#keys.set(table, keys);
    return keys;
  }

  #addRecord(table: string, key: string, value: unknown): string | undefined {
    const fault = recordFault(table, key, value);
    if (fault !== undefined) return fault;
    const record = value as Record<string, unknown>;
    if (table === 'thing-groups' && typeof record.parentGroupName === 'string')
      this.#parents.push([key, record.parentGroupName]);
    if (table === 'things' && typeof record.thingTypeName === 'string')
      this.#types.push([key, record.thingTypeName]);
    return undefined;
  }

  #mustBe(wantedTable: string, wanted: string, table: string, key: string): void {
    if (!this.#keysOf(wantedTable).has(wanted))
      this.note(`cloud/${table} ${key}`, `it names ${wanted}, which is not in ${wantedTable}`);
  }

  #checkPairs(): void {
    for (const [one, other] of mirrors.flatMap(([a, b]): [string, string][] => [
      [a, b],
      [b, a],
    ])) {
      for (const pair of this.#keysOf(one)) {
        const [first, second] = pairOf(pair);
        if (!this.#keysOf(other).has(`${second} ${first}`))
          this.note(`cloud/${one} ${first}/${second}`, `its other half is not in ${other}`);
        const named = firstParts[one];
        if (named !== undefined) this.#mustBe(named, first, one, `${first}/${second}`);
        else this.#checkTarget(one, first, second);
      }
    }
  }

  #checkTarget(table: string, target: string, policy: string): void {
    const certificate = nameInArn('cert', target);
    const group = nameInArn('thinggroup', target);
    if (certificate !== undefined)
      this.#mustBe('certificates', certificate, table, `${certificate}/${policy}`);
    else if (group !== undefined) this.#mustBe('thing-groups', group, table, `${group}/${policy}`);
    else this.note(`cloud/${table} ${target}/${policy}`, 'the target is neither a certificate nor a group');
  }

  #addItem(table: string, key: string, value: unknown): string | undefined {
    if (table === 'table') {
      const parsed = tableDescription.safeParse(value);
      if (!parsed.success || parsed.data.TableName !== key) return 'it describes no table';
      this.#tables.set(key, parsed.data);
      return undefined;
    }
    if (/^(index|tag)-/.test(table)) return undefined;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'it is no item';
    const item = value as Record<string, unknown>;
    if (this.#tables.has(table)) this.#checkItem(table, key, item);
    else this.#items.push({ table, key, item });
    return undefined;
  }

  #checkItem(name: string, key: string, item: Record<string, unknown>): void {
    const table = this.#tables.get(name);
    const title = JSON.stringify(table ? table.KeySchema.map((part) => item[part.AttributeName]) : key);
    const fault = table
      ? (itemKeyFault(table, key, item) ?? (name === signTableName ? signItemFault(item) : undefined))
      : `there is no table ${name}`;
    if (fault !== undefined) this.note(`dynamodb/${name} ${title}`, fault);
  }
}

function parse(text: string): { value: unknown } | { fault: string } {
  try {
    return { value: JSON.parse(text) };
  } catch (error) {
    return { fault: `the value is no JSON: ${error instanceof Error ? error.message : String(error)}` };
  }
}

/** DynamoDB finds an item by its key's hash: one that is stored under another is never found. */
function itemKeyFault(
  table: TableDescription,
  key: string,
  item: Record<string, unknown>,
): string | undefined {
  try {
    return dynalite.createKey(item, table) === key ? undefined : "it is not under its own key's hash";
  } catch {
    return `it lacks its key, ${table.KeySchema.map((part) => part.AttributeName).join(' and ')}`;
  }
}

function signItemFault(item: Record<string, unknown>): string | undefined {
  let plain: unknown;
  try {
    plain = fromJsonItem(item);
  } catch {
    return 'it holds a type that no sign record has';
  }
  if (signRecord.safeParse(plain).success || beatItem.safeParse(plain).success) return undefined;
  const issues = signRecord.safeParse(plain).error?.issues ?? [];
  return `it is neither a sign record nor a beat (wrong: ${issues.map(({ path }) => path.join('.')).join(', ')})`;
}
