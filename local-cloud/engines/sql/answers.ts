/**
 * Functions that ask a service which takes its time (aws_lambda, get_dynamodb). Evaluation itself waits for nothing: it stops at the first
 * question without an answer, and begins anew, with the same random values, once there is one.
 */
import type { Message, Question } from './message.ts';
import type { Value } from './values.ts';

/** Of one rule about one message. */
const questionsMax = 20;

class Unanswered extends Error {
  readonly question: Question;
  constructor(question: Question) {
    super(`${question.call}() has no answer yet`);
    this.question = question;
  }
}

function unansweredIn(error: unknown): Unanswered | undefined {
  if (error instanceof Unanswered) return error;
  return error instanceof Error && error.cause instanceof Unanswered ? error.cause : undefined;
}

/** The same values, in the same order, after each `again`. */
function replayed<V>(make: () => V): { next: () => V; again: () => void } {
  const made: V[] = [];
  let at = 0;
  return {
    next() {
      if (at === made.length) made.push(make());
      return made[at++] as V;
    },
    again() {
      at = 0;
    },
  };
}

/**
 * @returns what evaluates anything on a message that can be asked, at once where nothing has to be; each question is asked once. It throws, or
 * rejects, as the evaluation does
 */
export function asking(
  given: Message,
  answer: (question: Question) => Promise<Value>,
): <T>(evaluate: (message: Message) => T) => T | Promise<T> {
  const answers = new Map<string, Promise<Value> | { value: Value }>();

  function ask(question: Question): Value {
    const known = answers.get(JSON.stringify(question));
    if (known && 'value' in known) return known.value;
    throw new Unanswered(question);
  }

  async function answered(question: Question): Promise<void> {
    const key = JSON.stringify(question);
    if (!answers.has(key) && answers.size >= questionsMax)
      throw new Error(`more than ${questionsMax} calls of services by one rule`);
    const asked = answers.get(key) ?? answer(question);
    answers.set(key, asked);
    if (!('value' in asked)) answers.set(key, { value: await asked });
  }

  return (evaluate) => {
    const uuids = replayed(given.newUuid);
    const randoms = replayed(given.random);
    const message: Message = { ...given, newUuid: uuids.next, random: randoms.next, ask };
    const attempt = (): ReturnType<typeof evaluate> | Promise<ReturnType<typeof evaluate>> => {
      uuids.again();
      randoms.again();
      try {
        return evaluate(message);
      } catch (error) {
        const unanswered = unansweredIn(error);
        if (!unanswered) throw error;
        return answered(unanswered.question).then(attempt);
      }
    };
    return attempt();
  };
}
