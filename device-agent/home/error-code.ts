/** @returns a system error's code (`ENOENT`, …), or what the error says. */
export function errorCode(error: unknown): string {
  if (typeof error === 'object' && error !== null && 'code' in error) return String(error.code);
  return String(error);
}
