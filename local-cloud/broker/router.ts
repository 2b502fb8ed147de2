/** Finds who gets a message: plain subscriptions, and one member of each group of a shared one. */

import { FilterIndex, parseSharedFilter } from '../engines/topic-filter.ts';
import type { Session, Subscription } from './session.ts';

class SharedGroup {
  readonly members = new Set<Subscription>();
}

export interface Delivery {
  qos: 0 | 1;
  retainAsPublished: boolean;
}

const nobody: ReadonlyMap<Session, Delivery> = new Map();

export class Router {
  readonly #index = new FilterIndex<Subscription | SharedGroup>();
  readonly #groups = new Map<string, SharedGroup>();
  readonly #random: () => number;

  /** @param random chooses the member of a shared group; 0 to 1, as Math.random */
  constructor(random: () => number) {
    this.#random = random;
  }

  add(subscription: Subscription): void {
    const shared = parseSharedFilter(subscription.filter);
    if (!shared) {
      this.#index.add(subscription.filter, subscription);
      return;
    }
    let group = this.#groups.get(subscription.filter);
    if (!group) {
      group = new SharedGroup();
      this.#groups.set(subscription.filter, group);
      this.#index.add(shared.filter, group);
    }
    group.members.add(subscription);
  }

  remove(subscription: Subscription): void {
    const shared = parseSharedFilter(subscription.filter);
    if (!shared) {
      this.#index.remove(subscription.filter, subscription);
      return;
    }
    const group = this.#groups.get(subscription.filter);
    group?.members.delete(subscription);
    if (!group || group.members.size > 0) return;
    this.#groups.delete(subscription.filter);
    this.#index.remove(shared.filter, group);
  }

  /**
   * Each session gets one copy, at the highest QoS of its subscriptions.
   * @param from the session that published it: subscriptions with No Local leave its own messages out
   */
  route(topic: string, from?: Session): ReadonlyMap<Session, Delivery> {
    const entries = this.#index.match(topic);
    if (entries.length === 0) return nobody;
    const found = new Map<Session, Delivery>();
    for (const entry of entries) {
      const subscription = entry instanceof SharedGroup ? this.#choose(entry) : entry;
      if (!subscription || (subscription.noLocal && subscription.session === from)) continue;
      const { session, qos, retainAsPublished } = subscription;
      const before = found.get(session);
      found.set(session, {
        qos: qos === 1 || before?.qos === 1 ? 1 : 0,
        retainAsPublished: retainAsPublished || before?.retainAsPublished === true,
      });
    }
    return found;
  }

  /** A member that is there; where none is, one whose session keeps the message. */
  #choose({ members }: SharedGroup): Subscription | undefined {
    const all = [...members];
    const present = all.filter(({ session }) => session.link !== undefined);
    const choice = present.length > 0 ? present : all;
    return choice[Math.floor(this.#random() * choice.length)];
  }
}
