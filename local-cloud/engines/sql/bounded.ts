/**
 * Work on a device's text that may take or make more than anybody has: a regular expression that goes back and forth (`(x+x+)+y` on forty x's
 * takes years), a replacement that makes megabytes of a message. The whole cloud, with the sign record, waits for it.
 */

import { createContext, Script } from 'node:vm';

export const matchMsMax = 100;
/** AWS IoT's largest message, several times over. */
const textCharactersMax = 1024 * 1024;

const context = createContext({ work: () => undefined });
const call = new Script('work()');

/** V8 looks at the time within a match, too, when it runs a script. @throws Error where the work takes longer than `matchMsMax` */
export function inTime<T>(what: string, work: () => T): T {
  let result: { value: T } | undefined;
  context.work = () => {
    result = { value: work() };
  };
  try {
    call.runInContext(context, { timeout: matchMsMax });
  } catch (error) {
    if (!isTimeout(error)) throw error;
    throw new Error(`${what} took longer than ${matchMsMax} ms on this message`, { cause: error });
  } finally {
    context.work = undefined;
  }
  if (!result) throw new Error(`${what} came to no result`);
  return result.value;
}

const isTimeout = (error: unknown) =>
  typeof error === 'object' &&
  error !== null &&
  'code' in error &&
  error.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT';

/** @throws Error where a text would be larger than any message */
export function inBounds(what: string, characters: number): void {
  if (characters > textCharactersMax)
    throw new Error(`${what} would make ${characters} characters, more than ${textCharactersMax}`);
}
