import { expect, test } from '@jest/globals';
import { asking } from './answers.ts';
import { evaluate } from './evaluate.ts';
import type { Question } from './message.ts';
import { parseExpressionAt } from './parser.ts';
import { message, payload } from './sample-message.ts';
import type { Value } from './values.ts';

let asked: Question[] = [];
function evaluator(answer: (question: Question) => Promise<Value>, more = {}) {
  asked = [];
  const ask = asking(message(payload, more), (question) => {
    asked.push(question);
    return answer(question);
  });
  return (sql: string) =>
    ask((given) => evaluate(parseExpressionAt(`${sql} `, 0).expression, given.payload, given));
}

test('what asks nobody has its value at once', () => {
  expect(evaluator(async () => 1)('value + 1')).toBe(6);
});

test('each question is asked once, also where one needs the answer of another, and for several evaluations', async () => {
  const read = evaluator(async (question) => (question.call === 'aws_lambda' ? { id: 7 } : { name: 'x' }));
  const both = "get_dynamodb('t', 'id', aws_lambda('arn:f', 1).id, 'arn').name + aws_lambda('arn:f', 1).id";
  expect(await Promise.all([read(both), read(both)])).toEqual(['x7', 'x7']);
  expect(asked).toEqual([
    { call: 'aws_lambda', functionArn: 'arn:f', input: 1 },
    { call: 'get_dynamodb', tableName: 't', key: { id: 7 } },
  ]);
});

test('random values stay what they were when an answer came, and are others in another evaluation', async () => {
  let n = 0;
  const read = evaluator(async ({ call, ...rest }) => ('input' in rest ? rest.input : call), {
    newUuid: () => `uuid-${++n}`,
  });
  const sql = "newuuid() + aws_lambda('arn:f', newuuid()) + aws_lambda('arn:f', 1)";
  expect(await read(sql)).toBe('uuid-1uuid-21');
  expect(await read(sql)).toBe('uuid-3uuid-41');
  expect(asked).toHaveLength(3);
});

test('an answer that is Undefined is one, and more than 20 questions are too many', async () => {
  const read = evaluator(async () => undefined);
  expect(await read("isUndefined(aws_lambda('arn:f', 1))")).toBe(true);
  const many = Array.from({ length: 20 }, (_, index) => `isUndefined(aws_lambda('arn:f', ${index}0))`);
  await expect(read(many.join(' AND '))).rejects.toThrow(/more than 20/);
});
