/** Reads one answer of HTTP/1.1 (RFC 9112) from the bytes of a connection. What is not plainly an answer is an error. */

export interface HttpAnswer {
  status: number;
  /** Of the `date` header; undefined where there is none. */
  date: string | undefined;
  text: string;
  /** ms for which the server keeps the connection; 0: not at all. */
  keptMs: number;
}

const headBytesMax = 16 * 1024;
const headEnd = Buffer.from('\r\n\r\n');
/** A server that says when it closes may be a moment early. */
const closesEarlyMs = 1000;

export class AnswerReader {
  readonly #bytesMax: number;
  #unread: Buffer = Buffer.alloc(0);
  #head: Head | undefined;
  #body: Buffer[] = [];
  #bodyBytes = 0;

  /** @param bytesMax of the answer's body */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** @returns the answer once it is whole. @throws Error where this is none, or too long a one */
  push(chunk: Buffer): HttpAnswer | undefined {
    this.#unread = this.#unread.length === 0 ? chunk : Buffer.concat([this.#unread, chunk]);
    this.#head ??= this.#takeHead();
    const head = this.#head;
    if (!head) return undefined;
    const isWhole = head.length === undefined ? this.#takeChunks() : this.#takeLength(head.length);
    if (!isWhole) return undefined;
    if (this.#unread.length > 0) throw new Error('the server sent more than it was asked for');
    const [first, ...more] = this.#body;
    const text = (more.length === 0 && first ? first : Buffer.concat(this.#body)).toString('utf8');
    const { status, date, keptMs } = head;
    return { status, date, text, keptMs };
  }

  #takeHead(): Head | undefined {
    const end = this.#unread.indexOf(headEnd);
    if (end > headBytesMax || (end < 0 && this.#unread.length > headBytesMax))
      throw new Error(`the answer's head has more than ${headBytesMax} bytes`);
    if (end < 0) return undefined;
    const head = parseHead(this.#unread.toString('latin1', 0, end));
    this.#unread = this.#unread.subarray(end + headEnd.length);
    return head;
  }

  #takeLength(length: number): boolean {
    this.#take(Math.min(length - this.#bodyBytes, this.#unread.length));
    return this.#bodyBytes === length;
  }

  /** `transfer-encoding: chunked` (section 7.1). */
  #takeChunks(): boolean {
    for (;;) {
      const lineEnd = this.#unread.indexOf('\r\n');
      if (lineEnd < 0) {
        if (this.#unread.length > headBytesMax) throw new Error('a chunk of the answer has no length');
        return false;
      }
      const [, hex] =
        /^([0-9a-f]{1,8})[ \t]*(?:;.*)?$/i.exec(this.#unread.toString('latin1', 0, lineEnd)) ?? [];
      if (hex === undefined) throw new Error('a chunk of the answer has no length');
      const length = Number.parseInt(hex, 16);
      this.#checkLength(this.#bodyBytes + length);
      const dataAt = lineEnd + 2;
      if (length === 0) return this.#takeTrailer(dataAt);
      const next = dataAt + length + 2;
      if (this.#unread.length < next) return false;
      if (this.#unread.toString('latin1', next - 2, next) !== '\r\n')
        throw new Error('a chunk of the answer has another length than it says');
      const rest = this.#unread.subarray(next);
      this.#unread = this.#unread.subarray(dataAt);
      this.#take(length);
      this.#unread = rest;
    }
  }

  /** Behind the last chunk: fields, which are not looked at, and an empty line. */
  #takeTrailer(at: number): boolean {
    const isBare = this.#unread.toString('latin1', at, at + 2) === '\r\n';
    const end = isBare ? at - 2 : this.#unread.indexOf(headEnd, at);
    if (end < 0 || this.#unread.length < end + headEnd.length) {
      if (this.#unread.length - at > headBytesMax) throw new Error("the answer's trailer has no end");
      return false;
    }
    this.#unread = this.#unread.subarray(end + headEnd.length);
    return true;
  }

  #take(bytes: number): void {
    this.#checkLength(this.#bodyBytes + bytes);
    if (bytes === 0) return;
    this.#body.push(this.#unread.subarray(0, bytes));
    this.#bodyBytes += bytes;
    this.#unread = this.#unread.subarray(bytes);
  }

  #checkLength(bytes: number): void {
    if (bytes > this.#bytesMax) throw new Error(`the answer has more than ${this.#bytesMax} bytes`);
  }
}

interface Head {
  status: number;
  date: string | undefined;
  keptMs: number;
  /** Of the body; undefined: in chunks. */
  length: number | undefined;
}

function parseHead(text: string): Head {
  const [first = '', ...lines] = text.split('\r\n');
  const [, minor, digits] = /^HTTP\/1\.([01]) ([2-5]\d\d)(?: |$)/.exec(first) ?? [];
  if (digits === undefined) throw new Error(`the server did not answer by HTTP: ${first.slice(0, 80)}`);
  const fields = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(':');
    // A field that goes on in the next line, or a blank before the colon, is read differently by different programs.
    if (colon < 1 || /[\s\0]/.test(line.slice(0, colon)))
      throw new Error(`the answer has a line that is no field: ${line.slice(0, 80)}`);
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    const before = fields.get(name);
    fields.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  return {
    status: Number(digits),
    date: fields.get('date'),
    keptMs: minor === '0' ? 0 : keptMsOf(fields),
    length: lengthOf(fields),
  };
}

/** Two lengths, or a length and chunks, are what answers are smuggled with (section 6.3). */
function lengthOf(fields: ReadonlyMap<string, string>): number | undefined {
  const [length, encoding] = [fields.get('content-length'), fields.get('transfer-encoding')];
  if (encoding?.toLowerCase() === 'chunked' && length === undefined) return undefined;
  if (encoding !== undefined || length === undefined || !/^\d{1,12}$/.test(length))
    throw new Error(`the answer has no length: it says ${length ?? 'none'} and ${encoding ?? 'no encoding'}`);
  return Number(length);
}

function keptMsOf(fields: ReadonlyMap<string, string>): number {
  const connection = fields.get('connection');
  if (connection !== undefined && /\bclose\b/i.test(connection)) return 0;
  const [, seconds] = /\btimeout=(\d{1,6})/i.exec(fields.get('keep-alive') ?? '') ?? [];
  return seconds === undefined
    ? Number.POSITIVE_INFINITY
    : Math.max(Number(seconds) * 1000 - closesEarlyMs, 0);
}
