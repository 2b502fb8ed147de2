/** The control API's operations on policies, their versions, and what they are attached to. */

import * as z from 'zod';
import { arn } from '../registry/arns.ts';
import { invalidRequest } from '../registry/aws-error.ts';
import type { Registry } from '../registry/registry.ts';
import { marking } from './certificate-summary.ts';
import { certificateOfPrincipal } from './certificates-api.ts';
import { type Handler, operation, queryBoolean } from './operation.ts';
import { page } from './page.ts';
import { tagging, tagList } from './tags-api.ts';

const policyName = z.string();
const policyDocument = z.string();
const target = z.string();
const principal = z.string();
const policyVersionId = z.string();

const summary = (name: string) => ({ policyName: name, policyArn: arn('policy', name) });

function versionNumber(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw invalidRequest(`policyVersionId '${text}' is not valid`);
  return Number(text);
}

export function policyOperations(registry: Registry): [string, Handler][] {
  const { policies, things } = registry;
  const tagged = tagging(registry.tags);
  const attach = async (name: string, to: string) => {
    await policies.attach(name, to);
    return {};
  };
  const detach = async (name: string, from: string) => {
    await policies.detach(name, from);
    return {};
  };
  const attached = (list: string, names: Iterable<string>, marker?: string, pageSize?: number) => {
    const { items, next } = page(list, names, (name) => name, { token: marker, size: pageSize });
    return { policies: items.map(summary), nextMarker: next };
  };
  return [
    operation('CreatePolicy', { policyName, policyDocument, tags: tagList }, async ({ tags, ...input }) =>
      tagged(tags, arn('policy', input.policyName), async () => {
        const policy = await policies.create(input.policyName, input.policyDocument);
        return { ...summary(policy.policyName), policyDocument: policy.document, policyVersionId: '1' };
      }),
    ),
    operation('GetPolicy', { policyName }, (input) => {
      const policy = policies.get(input.policyName);
      return {
        ...summary(policy.policyName),
        policyDocument: policy.document,
        defaultVersionId: String(policy.defaultVersionId ?? 1),
        creationDate: policy.createdAt,
        lastModifiedDate: policy.modifiedAt ?? policy.createdAt,
        generationId: String(policy.lastVersionId ?? 1),
      };
    }),
    operation('ListPolicies', marking, (input) => {
      const { items, next } = page('ListPolicies', policies.list(), ({ policyName: name }) => name, {
        token: input.marker,
        size: input.pageSize,
      });
      return { policies: items.map((each) => summary(each.policyName)), nextMarker: next };
    }),
    operation('DeletePolicy', { policyName }, async (input) => {
      await policies.delete(input.policyName);
      return {};
    }),
    operation(
      'CreatePolicyVersion',
      { policyName, policyDocument, setAsDefault: queryBoolean.default(false) },
      async ({ policyName: name, policyDocument: document, setAsDefault }) => {
        const id = await policies.createVersion(name, document, setAsDefault);
        return {
          policyArn: arn('policy', name),
          policyDocument: document,
          policyVersionId: String(id),
          isDefaultVersion: setAsDefault,
        };
      },
    ),
    operation('GetPolicyVersion', { policyName, policyVersionId }, ({ policyName: name, ...input }) => {
      const id = versionNumber(input.policyVersionId);
      const version = policies.version(name, id);
      return {
        ...summary(name),
        policyDocument: version.document,
        policyVersionId: String(id),
        isDefaultVersion: id === (policies.get(name).defaultVersionId ?? 1),
        creationDate: version.createdAt,
        lastModifiedDate: version.createdAt,
        generationId: String(id),
      };
    }),
    operation('ListPolicyVersions', { policyName }, ({ policyName: name }) => {
      const defaultId = policies.get(name).defaultVersionId ?? 1;
      return {
        policyVersions: policies.versionIds(name).map((id) => ({
          versionId: String(id),
          isDefaultVersion: id === defaultId,
          createDate: policies.version(name, id).createdAt,
        })),
      };
    }),
    operation('SetDefaultPolicyVersion', { policyName, policyVersionId }, async (input) => {
      await policies.setDefaultVersion(input.policyName, versionNumber(input.policyVersionId));
      return {};
    }),
    operation('DeletePolicyVersion', { policyName, policyVersionId }, async (input) => {
      await policies.deleteVersion(input.policyName, versionNumber(input.policyVersionId));
      return {};
    }),
    operation('AttachPolicy', { policyName, target }, (input) => attach(input.policyName, input.target)),
    operation('DetachPolicy', { policyName, target }, (input) => detach(input.policyName, input.target)),
    operation('AttachPrincipalPolicy', { policyName, principal }, (input) =>
      attach(input.policyName, input.principal),
    ),
    operation('DetachPrincipalPolicy', { policyName, principal }, (input) =>
      detach(input.policyName, input.principal),
    ),
    operation(
      'ListAttachedPolicies',
      { target, ...marking, recursive: queryBoolean.default(false) },
      ({ target: to, recursive, marker, pageSize }) => {
        const group = /:thinggroup\/(.+)$/.exec(to)?.[1];
        const list = 'ListAttachedPolicies';
        if (!recursive || group === undefined)
          return attached(list, policies.attachedTo(to), marker, pageSize);
        registry.groups.get(group);
        const names = registry.groups
          .lineage(group)
          .flatMap((each) => policies.attachedTo(arn('thinggroup', each)));
        return attached(list, new Set(names), marker, pageSize);
      },
    ),
    operation('ListPrincipalPolicies', { principal, ...marking }, (input) =>
      attached('ListPrincipalPolicies', policies.attachedTo(input.principal), input.marker, input.pageSize),
    ),
    operation('ListTargetsForPolicy', { policyName, ...marking }, (input) => {
      const { items, next } = page(
        'ListTargetsForPolicy',
        policies.targetsOf(input.policyName),
        (target) => target,
        { token: input.marker, size: input.pageSize },
      );
      return { targets: items, nextMarker: next };
    }),
    operation(
      'GetEffectivePolicies',
      {
        principal: z.string().optional(),
        thingName: z.string().optional(),
        cognitoIdentityPoolId: z.undefined().optional(),
      },
      (input) => {
        if (input.thingName !== undefined) things.get(input.thingName);
        const certificateId =
          input.principal === undefined ? undefined : certificateOfPrincipal(input.principal);
        return {
          effectivePolicies: registry.effectivePolicies(certificateId, input.thingName).map((name) => ({
            ...summary(name),
            policyDocument: policies.get(name).document,
          })),
        };
      },
    ),
  ];
}
