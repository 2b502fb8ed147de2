/** What keeps an action from being done: what happened, to what, and what to do next. */

/** Bad input or an unknown name: nothing was tried. */
export class InvalidInputError extends Error {
  override readonly name = 'InvalidInputError';
}

/** The fleet is not in a state in which this can be done, or it came out otherwise. */
export class ActionError extends Error {
  override readonly name = 'ActionError';
}
