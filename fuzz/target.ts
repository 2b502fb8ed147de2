import type fc from 'fast-check';

/** One door for input: every input gets an answer or an error of the kinds that clients know. */
export interface Target {
  name: string;
  /** @param inputs how many at once make one property: doors behind a disk or a socket are faster together */
  start(): Promise<RunningTarget>;
}

export interface RunningTarget {
  property: fc.IAsyncProperty<[unknown]> | fc.IProperty<[unknown]>;
  /** Inputs a run of the property. */
  inputsPerRun: number;
  stop(): Promise<void>;
}

/** Of one input, on a machine that does other work too: longer means an input that costs without a bound. */
export const inputMsMax = 3_000;

export class Unexpected extends Error {
  override name = 'Unexpected';
}

/** @throws Unexpected where an input's error is not one of those that a client is answered with */
export function onlyKnownErrors(known: readonly string[], act: () => void): void {
  const since = performance.now();
  try {
    act();
  } catch (error) {
    if (!(error instanceof Error) || !known.includes(error.name))
      throw new Unexpected(`not an error that clients know: ${String(error)}`, { cause: error });
  }
  if (performance.now() - since > inputMsMax) throw new Unexpected(`took longer than ${inputMsMax} ms`);
}

export function checkPrototypes(): void {
  if ('polluted' in {} || Object.keys(Object.prototype).length > 0)
    throw new Unexpected("Object's prototype was changed");
}
