/** Policies and what they are attached to: certificates and thing groups. */

import { MalformedPolicy, type PolicyStatement, parsePolicy } from '../engines/policy-document.ts';
import { pairKey, type Store } from '../store/store.ts';
import { arn, nameInArn } from './arns.ts';
import { AwsError, alreadyExists, deleteConflict, invalidRequest, notFound } from './aws-error.ts';
import type { PolicyRecord, PolicyVersionRecord } from './records.ts';
import { nowSeconds } from './things.ts';

const policyNamePattern = /^[\w+=,.@-]{1,128}$/;
/** AWS: policies attached to one certificate or group. */
const policiesPerTargetMax = 10;
/** AWS: versions kept of one policy. */
const versionsMax = 5;

export class Policies {
  #store: Store;
  #changed: () => void;
  #parsed = new Map<string, PolicyStatement[]>();

  constructor(store: Store, changed: () => void) {
    this.#store = store;
    this.#changed = changed;
  }

  get(name: string): PolicyRecord {
    const policy = this.#store.policies.get(name);
    if (!policy) throw notFound(`Policy not found (policyName: ${name})`);
    return policy;
  }

  *list(): Generator<PolicyRecord> {
    yield* this.#store.policies.values();
  }

  async create(name: string, document: string): Promise<PolicyRecord> {
    if (!policyNamePattern.test(name)) throw invalidRequest(`policyName '${name}' is not valid`);
    parse(document);
    return this.#change(() => {
      if (this.#store.policies.has(name)) {
        throw alreadyExists(
          `Policy cannot be created - name already exists (name=${name})`,
          name,
          arn('policy', name),
        );
      }
      const policy = { policyName: name, document, createdAt: nowSeconds() };
      this.#store.policies.set(name, policy);
      return policy;
    });
  }

  /** Makes the policy, or brings it to this document: for policies that come with the program. */
  async ensure(name: string, document: string): Promise<void> {
    parse(document);
    await this.#change(() => {
      const existing = this.#store.policies.get(name);
      if (existing?.document === document) return;
      const now = nowSeconds();
      this.#store.policies.set(name, {
        createdAt: now,
        ...existing,
        policyName: name,
        document,
        modifiedAt: now,
      });
      const key = pairKey(name, String(existing?.defaultVersionId ?? 1));
      if (this.#store.policyVersions.has(key))
        this.#store.policyVersions.set(key, { document, createdAt: now });
    });
  }

  async delete(name: string): Promise<void> {
    await this.#change(() => {
      this.get(name);
      if (!this.#store.policyTargets.pairedWith(name).next().done) {
        throw deleteConflict(`Cannot delete policy ${name}: it is attached to one or more principals`);
      }
      if (this.versionIds(name).length > 1) {
        throw deleteConflict(`Cannot delete policy ${name}: it has versions beside its default one`);
      }
      for (const id of this.versionIds(name)) this.#store.policyVersions.unset(pairKey(name, String(id)));
      this.#store.tags.unset(arn('policy', name));
      this.#store.policies.unset(name);
    });
  }

  /** @returns ids in their order */
  versionIds(name: string): number[] {
    this.get(name);
    const ids = [...this.#store.policyVersions.pairedWith(name)].map(Number).sort((a, b) => a - b);
    return ids.length > 0 ? ids : [1];
  }

  version(name: string, versionId: number): PolicyVersionRecord {
    const policy = this.get(name);
    const version = this.#store.policyVersions.get(pairKey(name, String(versionId)));
    if (version) return version;
    if (versionId === (policy.defaultVersionId ?? 1)) return policy;
    throw notFound(`Policy version not found (policyName: ${name}, policyVersionId: ${versionId})`);
  }

  /** @returns the new version's id */
  async createVersion(name: string, document: string, setAsDefault: boolean): Promise<number> {
    parse(document);
    return this.#change(() => {
      const policy = this.get(name);
      if (this.versionIds(name).length >= versionsMax) {
        throw new AwsError(
          409,
          'VersionsLimitExceededException',
          `The policy ${name} already has the maximum number of versions (${versionsMax})`,
        );
      }
      const now = nowSeconds();
      const { createdAt, lastVersionId = 1 } = policy;
      const first = pairKey(name, '1');
      // The one version of before is told apart from now on.
      if (policy.lastVersionId === undefined) {
        this.#store.policyVersions.set(first, { document: policy.document, createdAt });
      }
      const id = lastVersionId + 1;
      this.#store.policyVersions.set(pairKey(name, String(id)), { document, createdAt: now });
      this.#store.policies.set(name, {
        ...policy,
        lastVersionId: id,
        modifiedAt: now,
        ...(setAsDefault ? { document, defaultVersionId: id } : {}),
      });
      return id;
    });
  }

  async setDefaultVersion(name: string, versionId: number): Promise<void> {
    await this.#change(() => {
      const { document } = this.version(name, versionId);
      this.#store.policies.set(name, {
        ...this.get(name),
        document,
        defaultVersionId: versionId,
        modifiedAt: nowSeconds(),
      });
    });
  }

  async deleteVersion(name: string, versionId: number): Promise<void> {
    await this.#change(() => {
      this.version(name, versionId);
      if (versionId === (this.get(name).defaultVersionId ?? 1)) {
        throw deleteConflict(
          `Cannot delete the default version of a policy (policyName: ${name}, policyVersionId: ${versionId})`,
        );
      }
      this.#store.policyVersions.unset(pairKey(name, String(versionId)));
    });
  }

  async attach(name: string, target: string): Promise<void> {
    const arnOfTarget = this.#target(target);
    await this.#change(() => {
      this.get(name);
      const attached = [...this.#store.targetPolicies.pairedWith(arnOfTarget)];
      if (!attached.includes(name) && attached.length >= policiesPerTargetMax) {
        throw new AwsError(
          410,
          'LimitExceededException',
          `The maximum of ${policiesPerTargetMax} policies is attached to ${target}`,
        );
      }
      this.#store.policyTargets.set(pairKey(name, arnOfTarget), 1);
      this.#store.targetPolicies.set(pairKey(arnOfTarget, name), 1);
    });
  }

  async detach(name: string, target: string): Promise<void> {
    const arnOfTarget = this.#target(target);
    await this.#change(() => {
      this.get(name);
      this.#store.policyTargets.unset(pairKey(name, arnOfTarget));
      this.#store.targetPolicies.unset(pairKey(arnOfTarget, name));
    });
  }

  attachedTo(target: string): string[] {
    return [...this.#store.targetPolicies.pairedWith(this.#target(target))];
  }

  targetsOf(name: string): string[] {
    this.get(name);
    return [...this.#store.policyTargets.pairedWith(name)];
  }

  /** Statements of every policy that is attached to one of the targets. */
  statementsOf(targets: readonly string[]): PolicyStatement[] {
    const names = new Set(targets.flatMap((target) => [...this.#store.targetPolicies.pairedWith(target)]));
    return [...names].flatMap((name) => this.statements(name));
  }

  /** Of the default version. */
  statements(name: string): PolicyStatement[] {
    const kept = this.#parsed.get(name);
    if (kept) return kept;
    const record = this.#store.policies.get(name);
    const statements = record ? parsePolicy(record.document) : [];
    this.#parsed.set(name, statements);
    return statements;
  }

  /** The target's ARN in this cloud's region and account. */
  #target(target: string): string {
    const certificateId = nameInArn('cert', target);
    if (certificateId !== undefined) {
      if (this.#store.certificates.has(certificateId)) return arn('cert', certificateId);
      throw notFound(`The certificate given in the target does not exist: ${target}`);
    }
    const group = nameInArn('thinggroup', target);
    if (group !== undefined) {
      if (this.#store.thingGroups.has(group)) return arn('thinggroup', group);
      throw notFound(`The thing group given in the target does not exist: ${target}`);
    }
    throw invalidRequest(`The target must be the ARN of a certificate or of a thing group: ${target}`);
  }

  async #change<T>(action: () => T): Promise<T> {
    const result = await this.#store.transact(action);
    this.#parsed.clear();
    this.#changed();
    return result;
  }
}

function parse(document: string): void {
  try {
    parsePolicy(document);
  } catch (error) {
    if (error instanceof MalformedPolicy) throw new AwsError(400, 'MalformedPolicyException', error.message);
    throw error;
  }
}
