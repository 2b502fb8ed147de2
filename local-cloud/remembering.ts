/** Remembers what a pure function made of texts that come again and again. */

const charsMaxUsual = 500;

/**
 * @param keptMax results; when there are more, all are forgotten
 * @param make must not throw for reasons other than its argument; what it returns is shared, and must not be changed
 * @param charsMax of a text that is worth keeping
 */
export function remembering<T>(
  keptMax: number,
  make: (text: string) => T,
  charsMax = charsMaxUsual,
): (text: string) => T {
  const kept = new Map<string, T>();
  return (text) => {
    const known = kept.get(text);
    if (known !== undefined) return known;
    const made = make(text);
    if (text.length > charsMax) return made;
    if (kept.size >= keptMax) kept.clear();
    kept.set(text, made);
    return made;
  };
}
