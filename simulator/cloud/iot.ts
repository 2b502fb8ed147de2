/**
 * AWS IoT in memory: a broker that keeps its connections apart, the Device Shadow service and the rules' SQL. The shadow
 * engine and the SQL are the local cloud's own, the rules are those of cloud-rules/.
 */

import alertRule from '../../cloud-rules/rules/beam_alert.json' with { type: 'json' };
import healthRule from '../../cloud-rules/rules/beam_health.json' with { type: 'json' };
import presenceRule from '../../cloud-rules/rules/beam_presence.json' with { type: 'json' };
import deletedRule from '../../cloud-rules/rules/beam_role_deleted.json' with { type: 'json' };
import documentsRule from '../../cloud-rules/rules/beam_role_documents.json' with { type: 'json' };
import requestRule from '../../cloud-rules/rules/beam_role_request.json' with { type: 'json' };
import {
  applyShadowRequest,
  type ShadowMessage,
  type StoredShadow,
} from '../../local-cloud/engines/shadow.ts';
import {
  parseShadowTopic,
  type ShadowKey,
  type ShadowOperation,
  shadowTopicPrefix,
} from '../../local-cloud/engines/shadow-request.ts';
import { evaluateStatement } from '../../local-cloud/engines/sql/evaluate.ts';
import { readPayload } from '../../local-cloud/engines/sql/message.ts';
import { parseStatement } from '../../local-cloud/engines/sql/parser.ts';
import { topicMatches } from '../../local-cloud/engines/topic-filter.ts';
import type { SeededChance } from '../../signer/rehearsal/seeded.ts';
import type { Scheduler } from '../world/scheduler.ts';

const functionOf = (arn: string) => /^\$\{lambda:(\w+)\}$/.exec(arn)?.[1] ?? arn;
const rules = [alertRule, healthRule, presenceRule, deletedRule, documentsRule, requestRule].map(
  ({ topicRulePayload: { sql, actions } }) => ({
    statement: parseStatement(sql),
    functions: actions.map(({ lambda }) => functionOf(lambda.functionArn)),
  }),
);

export interface IotParts {
  scheduler: Scheduler;
  chance: SeededChance;
  /** ms since 1970, the cloud's clock. */
  now: () => number;
  invoke: (name: string, event: unknown) => void;
}

export interface Client {
  receive(topic: string, payload: string): void;
  /** Another connection of its name took its place. */
  replaced(): void;
}

export class Iot {
  readonly #parts: IotParts;
  readonly #shadows = new Map<string, StoredShadow>();
  readonly #clients = new Map<string, Client>();

  constructor(parts: IotParts) {
    this.#parts = parts;
  }

  /** From now on the client gets what is published to its thing's shadows. A later one of its name takes its place. */
  connect(clientId: string, client: Client): void {
    this.#clients.get(clientId)?.replaced();
    this.#clients.set(clientId, client);
    this.#presence(clientId, 'connected');
  }

  disconnect(clientId: string, client: Client): void {
    if (this.#clients.get(clientId) !== client) return;
    this.#clients.delete(clientId);
    this.#presence(clientId, 'disconnected');
  }

  publish(topic: string, payload: string): void {
    const asked = parseShadowTopic(topic);
    if (asked) {
      this.request(asked.key, asked.operation, payload, 'mqtt');
      return;
    }
    for (const [clientId, client] of this.#clients) {
      if (topic.startsWith(`$aws/things/${clientId}/shadow/`)) client.receive(topic, payload);
    }
    this.#applyRules(topic, payload);
  }

  request(key: ShadowKey, operation: ShadowOperation, payload: string, via: 'mqtt' | 'https'): ShadowMessage {
    const id = `${key.thing}/${key.shadow}`;
    const outcome = applyShadowRequest(
      this.#shadows.get(id),
      { key, operation, payload: Buffer.from(payload) },
      this.#parts.now(),
    );
    if (outcome.store) this.#shadows.set(id, outcome.store);
    for (const { tail, payload: body } of outcome.messages) {
      if (via === 'https' && (operation === 'get' || tail.endsWith('/rejected'))) continue;
      this.publish(`${shadowTopicPrefix(key)}/${tail}`, JSON.stringify(body));
    }
    return outcome.answer;
  }

  #presence(clientId: string, eventType: 'connected' | 'disconnected'): void {
    const payload = JSON.stringify({ clientId, eventType, timestamp: this.#parts.now() });
    this.#applyRules(`$aws/events/presence/${eventType}/${clientId}`, payload);
  }

  #applyRules(topic: string, payload: string): void {
    const { chance, now, invoke } = this.#parts;
    for (const { statement, functions } of rules) {
      if (statement.from === undefined || !topicMatches(statement.from, topic)) continue;
      const raw = Buffer.from(payload);
      const result = evaluateStatement(statement, {
        ...readPayload(raw),
        raw,
        topic,
        traceId: '',
        accountId: '000000000000',
        receivedAt: now(),
        newUuid: () => chance.hex(16),
        random: () => chance.next(),
      });
      if (result.fires) for (const name of functions) invoke(name, result.output);
    }
  }
}
