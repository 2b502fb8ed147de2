/** Role aliases: what a device's certificate may ask credentials for. */

import type { Store } from '../store/store.ts';
import { arn } from './arns.ts';
import { alreadyExists, invalidRequest, notFound } from './aws-error.ts';
import type { RoleAliasRecord } from './records.ts';
import { nowSeconds } from './things.ts';

const aliasPattern = /^[\w=,@-]{1,128}$/;
/** AWS: 15 minutes to 12 hours, one hour where nothing is said. */
const secondsMin = 900;
const secondsMax = 43_200;
const secondsDefault = 3_600;

export class RoleAliases {
  #store: Store;
  constructor(store: Store) {
    this.#store = store;
  }

  get(alias: string): RoleAliasRecord {
    const record = this.#store.roleAliases.get(alias);
    if (!record) throw notFound(`The role alias does not exist: ${alias}`);
    return record;
  }

  find(alias: string): RoleAliasRecord | undefined {
    return this.#store.roleAliases.get(alias);
  }

  *list(): Generator<RoleAliasRecord> {
    yield* this.#store.roleAliases.values();
  }

  async create(alias: string, roleArn: string, seconds = secondsDefault): Promise<void> {
    if (!aliasPattern.test(alias)) throw invalidRequest(`roleAlias '${alias}' is not valid`);
    check(roleArn, seconds);
    await this.#store.transact(() => {
      if (this.#store.roleAliases.has(alias)) {
        throw alreadyExists(`The role alias already exists: ${alias}`, alias, arn('rolealias', alias));
      }
      const now = nowSeconds();
      this.#store.roleAliases.set(alias, {
        roleAlias: alias,
        roleArn,
        credentialDurationSeconds: seconds,
        createdAt: now,
        modifiedAt: now,
      });
    });
  }

  /** Makes the alias, or brings it to this: for aliases that come with the program. */
  async ensure(alias: string, roleArn: string, seconds: number): Promise<void> {
    if (!this.find(alias)) return this.create(alias, roleArn, seconds);
    return this.update(alias, { roleArn, credentialDurationSeconds: seconds });
  }

  async update(
    alias: string,
    change: { roleArn?: string | undefined; credentialDurationSeconds?: number | undefined },
  ): Promise<void> {
    await this.#store.transact(() => {
      const before = this.get(alias);
      const next = {
        ...before,
        roleArn: change.roleArn ?? before.roleArn,
        credentialDurationSeconds: change.credentialDurationSeconds ?? before.credentialDurationSeconds,
        modifiedAt: nowSeconds(),
      };
      check(next.roleArn, next.credentialDurationSeconds);
      this.#store.roleAliases.set(alias, next);
    });
  }

  async delete(alias: string): Promise<void> {
    await this.#store.transact(() => {
      this.get(alias);
      this.#store.tags.unset(arn('rolealias', alias));
      this.#store.roleAliases.unset(alias);
    });
  }
}

function check(roleArn: string, seconds: number): void {
  if (!/^arn:[^:]+:iam::\d{12}:role\/.+$/.test(roleArn)) {
    throw invalidRequest(`roleArn must be the ARN of an IAM role: ${roleArn}`);
  }
  if (seconds < secondsMin || seconds > secondsMax) {
    throw invalidRequest(`credentialDurationSeconds must be ${secondsMin} to ${secondsMax}: ${seconds}`);
  }
}
