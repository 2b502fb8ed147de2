/** One MQTT connection as the broker's hooks see it: who it is, what it may do, why it ends. */

import { type Decision, evaluate, type PolicyAction } from '../engines/policy.ts';
import { arn } from '../registry/arns.ts';
import type { Authority, Registry } from '../registry/registry.ts';
import type { DisconnectReason, Presence } from './presence.ts';

/** AWS: subscriptions of one connection, and filters of one SUBSCRIBE. */
export const subscriptionsMax = 50;
export const filtersPerSubscribeMax = 8;
/** Decisions remembered for one connection. */
const decisionsKeptMax = 500;

export const resourceKinds = {
  'iot:Connect': 'client',
  'iot:Publish': 'topic',
  'iot:RetainPublish': 'topic',
  'iot:Subscribe': 'topicfilter',
  'iot:Receive': 'topic',
} as const satisfies Record<PolicyAction, string>;

export class Peer {
  readonly certificateId: string;
  readonly ipAddress: string;
  readonly filters = new Set<string>();
  clientId = '';
  presence: Presence | undefined;
  /** Set at the first thing that ends the connection; later ones are its consequences. */
  endReason: DisconnectReason | undefined;
  /** Publishes of this connection that still wait for the disk; acknowledged in their order. */
  pending: Promise<void> | undefined;
  #registry: Registry;
  #authority: Authority | undefined;
  #decisions = new Map<string, Decision>();
  #refusedTopics = new Set<string>();

  constructor(registry: Registry, certificateId: string, ipAddress: string) {
    this.#registry = registry;
    this.certificateId = certificateId;
    this.ipAddress = ipAddress;
  }

  /** Things, policies or certificates changed: decide anew. */
  forgetDecisions(): void {
    this.#authority = undefined;
    this.#decisions.clear();
  }

  decide(action: PolicyAction, name: string): Decision {
    const key = `${action} ${name}`;
    const kept = this.#decisions.get(key);
    if (kept) return kept;
    this.#authority ??= this.#registry.authorityOf(this.certificateId, this.clientId);
    const { statements, variables } = this.#authority;
    const decision = evaluate(statements, action, arn(resourceKinds[action], name), variables);
    if (this.#decisions.size >= decisionsKeptMax) this.#decisions.clear();
    this.#decisions.set(key, decision);
    return decision;
  }

  /** A topic whose messages the connection may not have is worth one line of the log, not one a message. */
  firstRefusal(topic: string): boolean {
    if (this.#refusedTopics.has(topic) || this.#refusedTopics.size >= decisionsKeptMax) return false;
    this.#refusedTopics.add(topic);
    return true;
  }

  ends(reason: DisconnectReason): void {
    this.endReason ??= reason;
  }
}
