/** The last ids, so that a message that is delivered twice is told once. */

export class Seen {
  readonly #idsMax: number;
  readonly #ids = new Set<string>();

  constructor(idsMax: number) {
    this.#idsMax = idsMax;
  }

  has(id: string): boolean {
    return this.#ids.has(id);
  }

  add(id: string): void {
    this.#ids.add(id);
    const [oldest] = this.#ids;
    if (this.#ids.size > this.#idsMax && oldest !== undefined) this.#ids.delete(oldest);
  }
}
