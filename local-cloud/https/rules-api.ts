/** The control API's operations on topic rules, and the endpoints. A rule is kept only if the engine takes it. */

import * as z from 'zod';
import type { JsonObject } from '../engines/json-tree.ts';
import { arn } from '../registry/arns.ts';
import { AwsError, alreadyExists, invalidRequest, notFound, notImplemented } from '../registry/aws-error.ts';
import { type Tags, tagsOfHeader } from '../registry/tags.ts';
import { nowSeconds } from '../registry/things.ts';
import type { Store } from '../store/store.ts';
import { type Handler, operation, queryBoolean, queryNumber } from './operation.ts';
import { page } from './page.ts';
import { tagging } from './tags-api.ts';

/** What evaluates the rules. */
export interface RuleLoader {
  /** @throws Error on anything in the payload that it does not know */
  load(ruleName: string, topicRulePayload: JsonObject): void;
  remove(ruleName: string): void;
}

const ruleNamePattern = /^[a-zA-Z0-9_]{1,128}$/;
/** Of rules AWS shows more at once than of anything else. */
const rulesPageSizeMax = 10_000;
const payloadSchema = z.record(z.string(), z.json()).transform((value) => value as JsonObject);

/** Rules of the store and of the engine, kept alike. */
export function createRuleBook(store: Store, loader: RuleLoader) {
  function load(ruleName: string, payload: JsonObject): void {
    if (!ruleNamePattern.test(ruleName)) {
      throw invalidRequest(`ruleName '${ruleName}' must be 1 to 128 of a-z, A-Z, 0-9 and '_'`);
    }
    try {
      loader.load(ruleName, payload);
    } catch (error) {
      throw new AwsError(400, 'SqlParseException', error instanceof Error ? error.message : String(error));
    }
  }

  async function put(ruleName: string, payload: JsonObject, bundled = false): Promise<void> {
    const before = store.topicRules.get(ruleName);
    load(ruleName, payload);
    try {
      await store.topicRules.put(ruleName, {
        ruleName,
        payload,
        createdAt: before?.createdAt ?? nowSeconds(),
        ...(bundled ? { bundled: true as const } : {}),
      });
    } catch (error) {
      if (before) loader.load(ruleName, before.payload);
      else loader.remove(ruleName);
      throw error;
    }
  }

  return {
    put,
    /**
     * At the start: rules that come with the program. Those that it no longer brings go; one that the API replaced stays
     * as the API made it.
     * @throws AwsError when the engine does not take one of them
     */
    async putBundled(rules: readonly { ruleName: string; topicRulePayload: JsonObject }[]): Promise<void> {
      const brought = new Set(rules.map(({ ruleName }) => ruleName));
      for (const { ruleName, bundled } of [...store.topicRules.values()]) {
        if (bundled && !brought.has(ruleName)) await store.topicRules.remove(ruleName);
      }
      for (const { ruleName, topicRulePayload } of rules) {
        const found = store.topicRules.get(ruleName);
        if (!found || found.bundled) await put(ruleName, topicRulePayload, true);
      }
    },
    /** At the start: what the API stored. @returns the rules that the engine no longer takes, with why */
    loadStored(): { ruleName: string; why: string }[] {
      const refused: { ruleName: string; why: string }[] = [];
      for (const { ruleName, payload, bundled } of store.topicRules.values()) {
        if (bundled) continue;
        try {
          load(ruleName, payload);
        } catch (error) {
          refused.push({ ruleName, why: String(error) });
        }
      }
      return refused;
    },
    async remove(ruleName: string): Promise<void> {
      await store.topicRules.remove(ruleName);
      loader.remove(ruleName);
    },
  };
}

export type RuleBook = ReturnType<typeof createRuleBook>;

export function ruleOperations(store: Store, book: RuleBook, tags: Tags): [string, Handler][] {
  const ruleName = z.string();
  const known = (name: string) => {
    const record = store.topicRules.get(name);
    if (!record) throw notFound(`Rule ${name} not found`);
    return record;
  };
  const sqlOf = (payload: JsonObject) => (typeof payload.sql === 'string' ? payload.sql : '');
  return [
    operation(
      'CreateTopicRule',
      { ruleName, topicRulePayload: payloadSchema, tags: z.string().default('') },
      (input) =>
        tagging(tags)(tagsOfHeader(input.tags), arn('rule', input.ruleName), async () => {
          if (store.topicRules.has(input.ruleName)) {
            const name = input.ruleName;
            throw alreadyExists(`Rule ${name} already exists`, name, arn('rule', name));
          }
          await book.put(input.ruleName, input.topicRulePayload);
          return {};
        }),
    ),
    ...(['EnableTopicRule', 'DisableTopicRule'] as const).map((name) =>
      operation(name, { ruleName }, async (input) => {
        const { payload } = known(input.ruleName);
        await book.put(input.ruleName, { ...payload, ruleDisabled: name === 'DisableTopicRule' });
        return {};
      }),
    ),
    operation('ReplaceTopicRule', { ruleName, topicRulePayload: payloadSchema }, async (input) => {
      known(input.ruleName);
      await book.put(input.ruleName, input.topicRulePayload);
      return {};
    }),
    operation('GetTopicRule', { ruleName }, (input) => {
      const record = known(input.ruleName);
      const ruleArn = arn('rule', record.ruleName);
      return {
        ruleArn,
        rule: {
          ruleDisabled: false,
          ...record.payload,
          ruleName: record.ruleName,
          createdAt: record.createdAt,
        },
      };
    }),
    operation(
      'ListTopicRules',
      {
        topic: z.string().optional(),
        maxResults: queryNumber.optional(),
        nextToken: z.string().optional(),
        ruleDisabled: queryBoolean.optional(),
      },
      (input) => {
        if (input.topic !== undefined) throw notImplemented('topic of ListTopicRules');
        const fitting = [...store.topicRules.values()].filter(
          ({ payload }) =>
            input.ruleDisabled === undefined || (payload.ruleDisabled === true) === input.ruleDisabled,
        );
        const { items, next } = page('ListTopicRules', fitting, ({ ruleName: name }) => name, {
          token: input.nextToken,
          size: input.maxResults,
          sizeMax: rulesPageSizeMax,
        });
        return {
          rules: items.map(({ ruleName: name, payload, createdAt }) => ({
            ruleArn: arn('rule', name),
            ruleName: name,
            topicPattern: /FROM\s+'([^']*)'/i.exec(sqlOf(payload))?.[1],
            createdAt,
            ruleDisabled: payload.ruleDisabled === true,
          })),
          nextToken: next,
        };
      },
    ),
    operation('DeleteTopicRule', { ruleName }, async (input) => {
      await book.remove(input.ruleName);
      return {};
    }),
  ];
}

export function endpointOperations(addresses: {
  data(): string;
  credentials(): string;
}): [string, Handler][] {
  return [
    operation('DescribeEndpoint', { endpointType: z.string().default('iot:Data') }, ({ endpointType }) => {
      if (endpointType === 'iot:Data' || endpointType === 'iot:Data-ATS')
        return { endpointAddress: addresses.data() };
      if (endpointType === 'iot:CredentialProvider') return { endpointAddress: addresses.credentials() };
      throw notImplemented(`endpoint ${endpointType}`);
    }),
  ];
}
