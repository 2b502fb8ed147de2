/** Provisioning templates and their versions, as the AWS IoT control API keeps them. */

import {
  MalformedTemplate,
  type ProvisioningTemplate,
  parseTemplate,
} from '../engines/provisioning-template.ts';
import { pairKey, type Store } from '../store/store.ts';
import { arn } from './arns.ts';
import { AwsError, alreadyExists, deleteConflict, invalidRequest, notFound } from './aws-error.ts';
import type {
  ProvisioningHook,
  ProvisioningTemplateRecord,
  ProvisioningTemplateVersionRecord,
} from './records.ts';
import { nowSeconds } from './things.ts';

const templateNamePattern = /^[0-9A-Za-z_-]{1,36}$/;
/** AWS: versions kept of one template. */
const versionsMax = 5;
const hookVersion = '2020-04-01';

export interface TemplateSettings {
  description?: string | undefined;
  enabled?: boolean | undefined;
  provisioningRoleArn?: string | undefined;
  preProvisioningHook?: { targetArn: string; payloadVersion?: string | undefined } | undefined;
}

export interface NewTemplate extends TemplateSettings {
  templateName: string;
  templateBody: string;
  provisioningRoleArn: string;
  type?: ProvisioningTemplateRecord['type'] | undefined;
}

export class ProvisioningTemplates {
  #store: Store;
  constructor(store: Store) {
    this.#store = store;
  }

  get(name: string): ProvisioningTemplateRecord {
    const record = this.#store.provisioningTemplates.get(name);
    if (!record) throw notFound(`The provisioning template ${name} does not exist`);
    return record;
  }

  *list(): Generator<ProvisioningTemplateRecord> {
    yield* this.#store.provisioningTemplates.values();
  }

  version(name: string, versionId: number): ProvisioningTemplateVersionRecord {
    this.get(name);
    const version = this.#store.provisioningVersions.get(pairKey(name, String(versionId)));
    if (!version) throw notFound(`The provisioning template ${name} has no version ${versionId}`);
    return version;
  }

  /** @returns ids in their order */
  versionIds(name: string): number[] {
    this.get(name);
    return [...this.#store.provisioningVersions.pairedWith(name)].map(Number).sort((a, b) => a - b);
  }

  /** The default version, parsed. */
  current(name: string): ProvisioningTemplate {
    return parse(this.version(name, this.get(name).defaultVersionId).body);
  }

  async create(given: NewTemplate): Promise<ProvisioningTemplateRecord> {
    const { templateName: name, templateBody, type = 'FLEET_PROVISIONING' } = given;
    if (!templateNamePattern.test(name)) {
      throw invalidRequest(`templateName '${name}' must be 1 to 36 of a-z, A-Z, 0-9, '_' and '-'`);
    }
    checkBody(templateBody);
    const hook = hookOf(given.preProvisioningHook);
    if (hook && type === 'JITP') throw invalidRequest('A JITP template has no pre-provisioning hook');
    return this.#store.transact(() => {
      if (this.#store.provisioningTemplates.has(name)) {
        throw alreadyExists(
          `The provisioning template ${name} already exists`,
          name,
          arn('provisioningtemplate', name),
        );
      }
      const now = nowSeconds();
      const record: ProvisioningTemplateRecord = {
        templateName: name,
        type,
        ...(given.description === undefined ? {} : { description: given.description }),
        enabled: given.enabled ?? false,
        provisioningRoleArn: given.provisioningRoleArn,
        ...(hook === undefined ? {} : { hook }),
        defaultVersionId: 1,
        lastVersionId: 1,
        createdAt: now,
        modifiedAt: now,
      };
      this.#store.provisioningTemplates.set(name, record);
      this.#store.provisioningVersions.set(pairKey(name, '1'), { body: templateBody, createdAt: now });
      return record;
    });
  }

  /** Makes the template, or brings it to this: for templates that come with the program. */
  async ensure(given: NewTemplate): Promise<void> {
    const existing = this.#store.provisioningTemplates.get(given.templateName);
    if (!existing) {
      await this.create(given);
      return;
    }
    const { templateName: name } = given;
    await this.update(name, { ...given, removePreProvisioningHook: given.preProvisioningHook === undefined });
    if (this.version(name, existing.defaultVersionId).body === given.templateBody) return;
    const others = this.versionIds(name).filter((id) => id !== existing.defaultVersionId);
    const [oldest] = others;
    if (others.length + 1 >= versionsMax && oldest !== undefined) await this.deleteVersion(name, oldest);
    await this.createVersion(name, given.templateBody, true);
  }

  async update(
    name: string,
    change: TemplateSettings & {
      defaultVersionId?: number | undefined;
      removePreProvisioningHook?: boolean | undefined;
    },
  ): Promise<void> {
    const hook = hookOf(change.preProvisioningHook);
    await this.#store.transact(() => {
      const { hook: before, ...record } = this.get(name);
      if (hook && record.type === 'JITP')
        throw invalidRequest('A JITP template has no pre-provisioning hook');
      if (change.defaultVersionId !== undefined) this.version(name, change.defaultVersionId);
      const next = hook ?? (change.removePreProvisioningHook ? undefined : before);
      const { description, enabled, provisioningRoleArn, defaultVersionId } = change;
      this.#store.provisioningTemplates.set(name, {
        ...record,
        ...(next === undefined ? {} : { hook: next }),
        ...(description === undefined ? {} : { description }),
        ...(enabled === undefined ? {} : { enabled }),
        ...(provisioningRoleArn === undefined ? {} : { provisioningRoleArn }),
        ...(defaultVersionId === undefined ? {} : { defaultVersionId }),
        modifiedAt: nowSeconds(),
      });
    });
  }

  async delete(name: string): Promise<void> {
    await this.#store.transact(() => {
      for (const id of this.versionIds(name)) {
        this.#store.provisioningVersions.unset(pairKey(name, String(id)));
      }
      this.#store.provisioningTemplates.unset(name);
    });
  }

  /** @returns the new version's id */
  async createVersion(name: string, body: string, setAsDefault: boolean): Promise<number> {
    checkBody(body);
    return this.#store.transact(() => {
      const record = this.get(name);
      if (this.versionIds(name).length >= versionsMax) {
        throw new AwsError(
          410,
          'LimitExceededException',
          `The provisioning template ${name} has ${versionsMax} versions already: delete one`,
        );
      }
      const id = record.lastVersionId + 1;
      this.#store.provisioningVersions.set(pairKey(name, String(id)), { body, createdAt: nowSeconds() });
      this.#store.provisioningTemplates.set(name, {
        ...record,
        lastVersionId: id,
        defaultVersionId: setAsDefault ? id : record.defaultVersionId,
        modifiedAt: nowSeconds(),
      });
      return id;
    });
  }

  async deleteVersion(name: string, versionId: number): Promise<void> {
    await this.#store.transact(() => {
      this.version(name, versionId);
      if (this.get(name).defaultVersionId === versionId) {
        throw deleteConflict(`Version ${versionId} is the default one of ${name}, and can't be deleted`);
      }
      this.#store.provisioningVersions.unset(pairKey(name, String(versionId)));
    });
  }
}

function parse(body: string): ProvisioningTemplate {
  try {
    return parseTemplate(body);
  } catch (error) {
    if (error instanceof MalformedTemplate) throw invalidRequest(error.message);
    throw error;
  }
}

function checkBody(body: string): void {
  parse(body);
}

function hookOf(hook: TemplateSettings['preProvisioningHook']): ProvisioningHook | undefined {
  if (hook === undefined) return undefined;
  const { targetArn, payloadVersion = hookVersion } = hook;
  if (payloadVersion !== hookVersion) throw invalidRequest(`payloadVersion must be ${hookVersion}`);
  if (!/^arn:[^:]+:lambda:[^:]+:[^:]*:function:.+$/.test(targetArn)) {
    throw invalidRequest(`targetArn must be the ARN of a Lambda function: ${targetArn}`);
  }
  return { targetArn, payloadVersion };
}
