/** The control API's operations on provisioning templates. */

import * as z from 'zod';
import {
  MalformedTemplate,
  parseTemplate,
  resolveTemplate,
  templateParameters,
} from '../engines/provisioning-template.ts';
import { accountId, arn, region } from '../registry/arns.ts';
import { invalidRequest } from '../registry/aws-error.ts';
import type { ProvisioningTemplateRecord } from '../registry/records.ts';
import { registerThing } from '../registry/register-thing.ts';
import type { Registry } from '../registry/registry.ts';
import { type Handler, operation, queryBoolean, queryNumber } from './operation.ts';
import { page } from './page.ts';
import { tagging, tagList } from './tags-api.ts';

const paging = { nextToken: z.string().optional(), maxResults: queryNumber.optional() };
const hook = z.strictObject({ targetArn: z.string(), payloadVersion: z.string().optional() });
/** AWS: a provisioning claim is good for five minutes. */
const claimSeconds = 300;
const versionId = z.union([z.number().int(), queryNumber]);

function summary(record: ProvisioningTemplateRecord) {
  return {
    templateArn: arn('provisioningtemplate', record.templateName),
    templateName: record.templateName,
    description: record.description,
    creationDate: record.createdAt,
    lastModifiedDate: record.modifiedAt,
    enabled: record.enabled,
    type: record.type,
  };
}

export function provisioningOperations(
  registry: Registry,
  nowMs: () => number = Date.now,
): [string, Handler][] {
  const { templates, certificates } = registry;
  const templateName = z.string();
  const tagged = tagging(registry.tags);
  const settings = {
    description: z.string().max(500).optional(),
    enabled: z.boolean().optional(),
    preProvisioningHook: hook.optional(),
  };
  return [
    operation(
      'CreateProvisioningTemplate',
      {
        templateName,
        templateBody: z.string(),
        provisioningRoleArn: z.string().min(20),
        type: z.enum(['FLEET_PROVISIONING', 'JITP']).optional(),
        tags: tagList,
        ...settings,
      },
      ({ tags, ...input }) => {
        const templateArn = arn('provisioningtemplate', input.templateName);
        return tagged(tags, templateArn, async () => {
          const { templateName: name } = await templates.create(input);
          return { templateArn, templateName: name, defaultVersionId: 1 };
        });
      },
    ),
    operation('DescribeProvisioningTemplate', { templateName }, (input) => {
      const record = templates.get(input.templateName);
      return {
        ...summary(record),
        defaultVersionId: record.defaultVersionId,
        templateBody: templates.version(record.templateName, record.defaultVersionId).body,
        provisioningRoleArn: record.provisioningRoleArn,
        preProvisioningHook: record.hook,
      };
    }),
    operation('ListProvisioningTemplates', paging, (input) => {
      const { items, next } = page(
        'ListProvisioningTemplates',
        templates.list(),
        ({ templateName: name }) => name,
        { token: input.nextToken, size: input.maxResults },
      );
      return { templates: items.map(summary), nextToken: next };
    }),
    operation(
      'UpdateProvisioningTemplate',
      {
        templateName,
        ...settings,
        defaultVersionId: z.number().int().optional(),
        provisioningRoleArn: z.string().min(20).optional(),
        removePreProvisioningHook: z.boolean().optional(),
      },
      async ({ templateName: name, ...change }) => {
        await templates.update(name, change);
        return {};
      },
    ),
    operation('DeleteProvisioningTemplate', { templateName }, async (input) => {
      await templates.delete(input.templateName);
      return {};
    }),
    operation(
      'CreateProvisioningTemplateVersion',
      { templateName, templateBody: z.string(), setAsDefault: queryBoolean.default(false) },
      async ({ templateName: name, templateBody, setAsDefault }) => {
        const id = await templates.createVersion(name, templateBody, setAsDefault);
        return {
          templateArn: arn('provisioningtemplate', name),
          templateName: name,
          versionId: id,
          isDefaultVersion: setAsDefault,
        };
      },
    ),
    operation('DescribeProvisioningTemplateVersion', { templateName, versionId }, (input) => {
      const version = templates.version(input.templateName, input.versionId);
      return {
        versionId: input.versionId,
        creationDate: version.createdAt,
        templateBody: version.body,
        isDefaultVersion: templates.get(input.templateName).defaultVersionId === input.versionId,
      };
    }),
    operation('ListProvisioningTemplateVersions', { templateName, ...paging }, (input) => {
      const { defaultVersionId } = templates.get(input.templateName);
      const { items, next } = page(
        'ListProvisioningTemplateVersions',
        templates.versionIds(input.templateName),
        (id) => String(id).padStart(10, '0'),
        { token: input.nextToken, size: input.maxResults },
      );
      return {
        versions: items.map((id) => ({
          versionId: id,
          creationDate: templates.version(input.templateName, id).createdAt,
          isDefaultVersion: id === defaultVersionId,
        })),
        nextToken: next,
      };
    }),
    operation('DeleteProvisioningTemplateVersion', { templateName, versionId }, async (input) => {
      await templates.deleteVersion(input.templateName, input.versionId);
      return {};
    }),
    operation('CreateProvisioningClaim', { templateName }, async (input) => {
      const template = templates.get(input.templateName);
      if (template.type !== 'FLEET_PROVISIONING') {
        throw invalidRequest(
          `The provisioning template ${input.templateName} is not of type FLEET_PROVISIONING`,
        );
      }
      const until = Math.floor(nowMs() / 1000) + claimSeconds;
      const { record, publicKeyPem, privateKeyPem } = await certificates.createClaim(
        input.templateName,
        until,
      );
      return {
        certificateId: record.certificateId,
        certificatePem: record.pem,
        keyPair: { PublicKey: publicKeyPem, PrivateKey: privateKeyPem },
        expiration: until,
      };
    }),
    operation(
      'RegisterThing',
      { templateBody: z.string(), parameters: templateParameters },
      async ({ templateBody, parameters }) => {
        const made = await registerThing(registry, planOf(templateBody, parameters));
        const { certificateId, thingName } = made;
        return {
          certificatePem: certificateId === undefined ? undefined : certificates.get(certificateId).pem,
          resourceArns: {
            ...(thingName === undefined ? {} : { thing: arn('thing', thingName) }),
            ...(certificateId === undefined ? {} : { certificate: arn('cert', certificateId) }),
          },
        };
      },
    ),
  ];
}

function planOf(templateBody: string, parameters: Record<string, string>) {
  try {
    return resolveTemplate(
      parseTemplate(templateBody),
      new Map(Object.entries(parameters)),
      new Map([
        ['AWS::Region', region],
        ['AWS::AccountId', accountId],
      ]),
    );
  } catch (error) {
    if (error instanceof MalformedTemplate) throw invalidRequest(error.message);
    throw error;
  }
}
