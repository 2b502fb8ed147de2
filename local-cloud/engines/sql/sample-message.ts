/** For this folder's tests: a message, and statements run on it. */
import { evaluateStatement } from './evaluate.ts';
import { type Message, readPayload } from './message.ts';
import { parseStatement } from './parser.ts';
import type { Value } from './values.ts';

export function message(payload: unknown, more: Partial<Message> = {}): Message {
  const raw = Buffer.isBuffer(payload) ? payload : Buffer.from(JSON.stringify(payload));
  return {
    ...readPayload(raw),
    raw,
    topic: 'beam/demo/demo_val1/health',
    traceId: '00000000-0000-4000-8000-000000000001',
    accountId: '000000000000',
    receivedAt: 1_795_000_000_000,
    newUuid: () => '00000000-0000-4000-8000-000000000002',
    random: () => 0.25,
    ...more,
  };
}

export function run(sql: string, payload: unknown = {}, more: Partial<Message> = {}): unknown {
  const result = evaluateStatement(parseStatement(sql), message(payload, more));
  return result.fires ? result.output : 'does not fire';
}

export const payload = {
  color: { red: 255, name: 'Red' },
  temperature: 50,
  text: 'abc',
  number: '7.5',
  yes: true,
  nothing: null,
  list: [3, 1, 2],
  value: 5,
  e: [
    { n: 'temperature', u: 'Cel', v: 22.5 },
    { n: 'light', u: 'lm', v: 135 },
  ],
};

/** An expression's value; Undefined where the key is left out. */
export function evaluateText(expression: string, more: Partial<Message> = {}): Value {
  return (run(`SELECT VALUE [(${expression})] FROM 'a'`, payload, more) as Value[])[0];
}
