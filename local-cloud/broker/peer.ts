/** Who a connection is, and what it may do. */

import { type Decision, evaluate, type PolicyAction } from '../engines/policy.ts';
import { arn } from '../registry/arns.ts';
import type { Authority } from '../registry/registry.ts';

/** Decisions remembered for one connection. */
const decisionsKeptMax = 500;

export const resourceKinds = {
  'iot:Connect': 'client',
  'iot:Publish': 'topic',
  'iot:RetainPublish': 'topic',
  'iot:Subscribe': 'topicfilter',
  'iot:Receive': 'topic',
} as const satisfies Record<PolicyAction, string>;

/** What proved who the client is: a certificate, or the keys that signed a request. */
export interface Principal {
  /** As events and rules name it: the certificate's id, or the access key's. */
  readonly id: string;
  /** @returns why it may not be used, undefined where it may */
  fault(): string | undefined;
  authorityOf(clientId: string): Authority;
}

export class Peer {
  readonly principal: Principal;
  readonly ipAddress: string;
  clientId = '';
  #authority: Authority | undefined;
  #decisions = new Map<string, Decision>();
  #refusedTopics = new Set<string>();

  constructor(principal: Principal, ipAddress: string) {
    this.principal = principal;
    this.ipAddress = ipAddress;
  }

  /** Things, policies or certificates changed: decide anew. */
  forgetDecisions(): void {
    this.#authority = undefined;
    this.#decisions.clear();
  }

  /** @returns why a policy does not let the peer do it, or undefined. @throws when policies cannot be read */
  fault(action: PolicyAction, name: string): string | undefined {
    const decision = this.#decide(action, name);
    if (decision === 'allowed') return undefined;
    return decision === 'denied' ? `a policy denies ${action}` : `no policy allows ${action}`;
  }

  /** A topic whose messages the connection may not have is worth one line of the log, not one a message. */
  firstRefusal(topic: string): boolean {
    if (this.#refusedTopics.has(topic) || this.#refusedTopics.size >= decisionsKeptMax) return false;
    this.#refusedTopics.add(topic);
    return true;
  }

  #decide(action: PolicyAction, name: string): Decision {
    const key = `${action} ${name}`;
    const kept = this.#decisions.get(key);
    if (kept) return kept;
    this.#authority ??= this.principal.authorityOf(this.clientId);
    const { statements, variables } = this.#authority;
    const decision = evaluate(statements, action, arn(resourceKinds[action], name), variables);
    if (this.#decisions.size >= decisionsKeptMax) this.#decisions.clear();
    this.#decisions.set(key, decision);
    return decision;
  }
}
