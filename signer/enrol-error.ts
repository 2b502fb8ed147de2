/** Why a key is not enrolled, joined, or given up: what happened, and what to do. */
export class EnrolError extends Error {
  override readonly name = 'EnrolError';
}
