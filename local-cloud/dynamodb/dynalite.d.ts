/** The parts of dynalite 4 that the store uses; the package brings no types. */

declare module 'dynalite/db/index.js' {
  const db: {
    /** An error that a client is answered with: 400, ValidationException. */
    validationError(message: string): Error;
    /** The key under which an item lies. @throws where a key attribute is missing or of another type */
    createKey(item: Record<string, unknown>, table: object): string;
  };
  export default db;
}

declare module 'dynalite/validations/index.js' {
  const validations: {
    /** @throws with statusCode and body where a field has another type than `types` says. Drops unknown fields. */
    checkTypes(data: Record<string, unknown>, types: unknown): Record<string, unknown>;
    /** @throws with statusCode and body. Parses the expressions into `data`. */
    checkValidations(data: Record<string, unknown>, types: unknown, custom: unknown, store: object): void;
  };
  export default validations;
}

declare module 'dynalite/actions/*' {
  const action: (
    store: object,
    data: Record<string, unknown>,
    callback: (error: unknown, answer?: object) => void,
  ) => void;
  export default action;
}

declare module 'dynalite/validations/*' {
  const validation: { types: unknown; custom?: unknown };
  export default validation;
}
