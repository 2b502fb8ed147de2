/** Numbers. Results are double precision; "rounded down" is towards minus infinity, as ceil(-1.2) = -1 and floor(-1.2) = -2 show. */
import { ofNumbers, type SqlFunction } from './function.ts';
import { toDecimal } from './values.ts';

const bitwise = (call: (a: bigint, b: bigint) => bigint) =>
  ofNumbers(2, (a, b) => Number(call(BigInt(Math.floor(a)), BigInt(Math.floor(b)))));

const truncateDecimals: SqlFunction = ofNumbers(2, (number, places) => {
  const kept = Math.min(34, Math.max(0, Math.floor(places)));
  const [whole = '', decimals = ''] = plainNotation(number).split('.');
  return Number(`${whole}.${decimals.slice(0, kept)}`);
});

/** Without an exponent. */
function plainNotation(number: number): string {
  const text = String(number);
  if (!text.includes('e')) return text;
  return Number.isInteger(number) ? BigInt(number).toString() : number.toFixed(100);
}

export const numberFunctions: Record<string, SqlFunction> = {
  abs: ofNumbers(1, Math.abs),
  acos: ofNumbers(1, Math.acos),
  asin: ofNumbers(1, Math.asin),
  atan: ofNumbers(1, Math.atan),
  atan2: ofNumbers(2, Math.atan2),
  bitand: bitwise((a, b) => a & b),
  bitor: bitwise((a, b) => a | b),
  bitxor: bitwise((a, b) => a ^ b),
  bitnot: ofNumbers(1, (a) => Number(~BigInt(Math.floor(a)))),
  ceil: ofNumbers(1, Math.ceil),
  cos: ofNumbers(1, Math.cos),
  cosh: ofNumbers(1, Math.cosh),
  exp: ofNumbers(1, Math.exp),
  floor: ofNumbers(1, Math.floor),
  ln: ofNumbers(1, Math.log),
  log: ofNumbers(1, Math.log10),
  mod: ofNumbers(2, (a, b) => a % b),
  nanvl: {
    arity: [2, 2],
    call: ([first, second]) => (first === undefined || first === null ? second : first),
  },
  power: ofNumbers(2, (base, exponent) => base ** exponent),
  rand: { arity: [0, 0], call: (_, message) => message.random() },
  remainder: ofNumbers(2, (a, b) => a % b),
  // round(-1.5) is -2: away from zero.
  round: ofNumbers(1, (number) => Math.sign(number) * Math.round(Math.abs(number))),
  sign: ofNumbers(1, Math.sign),
  sin: ofNumbers(1, Math.sin),
  sinh: ofNumbers(1, Math.sinh),
  sqrt: ofNumbers(1, Math.sqrt),
  tan: ofNumbers(1, Math.tan),
  tanh: ofNumbers(1, Math.tanh),
  trunc: {
    arity: [2, 2],
    // Only the first argument may be a string.
    call: (values, ...rest) =>
      typeof values[1] === 'number' && toDecimal(values[0]) !== undefined
        ? truncateDecimals.call(values, ...rest)
        : undefined,
  },
};
