/**
 * Routes messages to subscriptions for aedes (its `mq` option), with AWS's matching of filters.
 *
 * It never waits for a subscriber: one that does not read must not hold up the others, nor the rules engine.
 * What such a subscriber lets pile up is bounded where messages are handed to its socket.
 */

import { FilterIndex } from '../engines/topic-filter.ts';

type Done = () => void;
type Listener = (message: { topic: string }, done: Done) => void;

const ignore = () => undefined;

export class Emitter {
  #index = new FilterIndex<Listener>();
  #closed = false;

  on(filter: string, listener: Listener, done: Done = ignore): this {
    this.#index.add(filter, listener);
    done();
    return this;
  }

  removeListener(filter: string, listener: Listener, done: Done = ignore): this {
    this.#index.remove(filter, listener);
    done();
    return this;
  }

  emit(message: { topic: string }, done: (error?: Error) => void = ignore): this {
    if (this.#closed) {
      done(new Error('the broker is closed'));
      return this;
    }
    for (const listener of this.#index.match(message.topic)) listener(message, ignore);
    done();
    return this;
  }

  close(done: Done): this {
    this.#closed = true;
    setImmediate(done);
    return this;
  }
}
