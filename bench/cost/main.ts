/** `npm run bench:cost`: what a fleet costs a month on AWS, by what it pays for, and what each knob changes. See docs/aws.md. */

import { parseArgs } from 'node:util';
import { exampleFleet, type Fleet, knobs, monthlyCost } from './model.ts';
import { pricesAsOf } from './prices.ts';

/** Of the design, for the example's fleet. */
const targetUsd = 10;

const { values } = parseArgs({
  options: {
    validators: { type: 'string' },
    sentries: { type: 'string' },
    'block-seconds': { type: 'string' },
    'health-seconds': { type: 'string' },
    json: { type: 'boolean' },
  },
});

function given(text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (!(value >= 0) || text.trim() === '') {
    process.stderr.write(`"${text}" is no number: give one, such as 6\n`);
    process.exit(2);
  }
  return value;
}

const fleet: Fleet = {
  ...exampleFleet,
  validators: given(values.validators, exampleFleet.validators),
  sentries: given(values.sentries, exampleFleet.sentries),
  blockSeconds: given(values['block-seconds'], exampleFleet.blockSeconds),
  healthSeconds: given(values['health-seconds'], exampleFleet.healthSeconds),
};
const { lines, usd, usdWithAlwaysFree } = monthlyCost(fleet);
const cents = (amount: number) => Math.round(amount * 100) / 100;
const changes = knobs.map(({ knob, to }) => ({
  knob,
  usd: cents(monthlyCost({ ...fleet, ...to }).usdWithAlwaysFree - usdWithAlwaysFree),
}));

if (!values.json) {
  const row = (text: string, amount: number) => `${text.padEnd(50)} ${amount.toFixed(2).padStart(7)}\n`;
  for (const line of lines) process.stderr.write(row(line.what, line.usd));
  process.stderr.write(row('all, USD a month', usd));
  process.stderr.write(row('with what is free in every account', usdWithAlwaysFree));
  for (const { knob, usd: change } of changes) process.stderr.write(row(`  ${knob}`, change));
}
process.stdout.write(
  `${JSON.stringify({
    pricesAsOf,
    fleet,
    lines: lines.map((line) => ({ ...line, usd: cents(line.usd) })),
    usd: cents(usd),
    usdWithAlwaysFree: cents(usdWithAlwaysFree),
    targetUsd,
    withinTarget: usdWithAlwaysFree <= targetUsd,
    knobs: changes,
  })}\n`,
);
