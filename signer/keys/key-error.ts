/** What can be wrong with a consensus key: each message says what, of which key, and what to do; never what is in it. */

export class KeyError extends Error {
  override readonly name: string = 'KeyError';
}

/** The key may be well, but can't be reached now: another try may succeed. */
export class KeyUnavailableError extends KeyError {
  override readonly name = 'KeyUnavailableError';
}

/** The word for every key that is of another type than Beam signs with. */
export function otherKeyType(where: string, type: string): KeyError {
  return new KeyError(
    `${where} holds a key of type ${type}; Beam signs with Ed25519 alone, as Cosmos validators do (a file: tendermint/PrivKeyEd25519; AWS KMS: ECC_NIST_EDWARDS25519)`,
  );
}
