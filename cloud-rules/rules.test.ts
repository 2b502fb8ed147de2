import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';

const here = dirname(fileURLToPath(import.meta.url));
const read = (folder: string) =>
  readdirSync(join(here, folder)).map((file) => ({
    file,
    text: readFileSync(join(here, folder, file), 'utf8'),
    json: JSON.parse(readFileSync(join(here, folder, file), 'utf8')),
  }));
const functions: string[] = JSON.parse(
  readFileSync(join(here, '../lambdas/manifest.json'), 'utf8'),
).functions.map(({ name }: { name: string }) => name);

test.each(read('rules'))('$file routes to a function of the manifest, errors too', ({ file, json, text }) => {
  expect(`${json.ruleName}.json`).toBe(file);
  expect(json.ruleName).toMatch(/^[a-zA-Z0-9_]{1,128}$/);
  const { awsIotSqlVersion, actions, errorAction } = json.topicRulePayload;
  expect(awsIotSqlVersion).toBe('2016-03-23');
  for (const action of [...actions, errorAction]) {
    const name = /^\$\{lambda:([a-z]+)\}$/.exec(action.lambda.functionArn)?.[1];
    expect(functions).toContain(name);
  }
  expect(text.match(/\$\{/g)).toHaveLength(2);
});

test.each(read('policies'))('$file fits into a policy of AWS IoT', ({ file, json }) => {
  expect(`${json.policyName}.json`).toBe(file);
  expect(JSON.stringify(json.policyDocument).replace(/\s/g, '').length).toBeLessThanOrEqual(2048);
});

test('no pilot may publish or listen beyond its own thing', () => {
  const pilot = read('policies').find(({ json }) => json.policyName === 'beam-pilot');
  for (const { Effect, Resource } of pilot?.json.policyDocument.Statement ?? []) {
    expect(Effect).toBe('Allow');
    for (const resource of [Resource].flat())
      expect(resource).toMatch(/\$\{iot:Connection\.Thing\.ThingName\}/);
  }
});
