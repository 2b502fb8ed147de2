import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import { lambdaArn, readCloudRules } from './bundled-rules.ts';
import { parsePolicy } from './engines/policy-document.ts';

const cloudRules = fileURLToPath(new URL('../cloud-rules', import.meta.url));

test('what is built in is what cloud-rules holds: every rule, every policy', () => {
  expect(readCloudRules(undefined)).toEqual(readCloudRules(cloudRules));
  const builtIn = readCloudRules(undefined);
  const files = (kind: string) =>
    readdirSync(join(cloudRules, kind)).filter((name) => name.endsWith('.json'));
  expect(builtIn.rules).toHaveLength(files('rules').length);
  expect(builtIn.policies).toHaveLength(files('policies').length);
  for (const { document } of builtIn.policies) expect(parsePolicy(document).length).toBeGreaterThan(0);
});

test('a placeholder of a function becomes its ARN; the rest of a rule stays as it is', () => {
  const text = JSON.stringify(readCloudRules(undefined).rules);
  expect(text).toContain(lambdaArn('health'));
  expect(text).not.toContain('${lambda:'.concat('health}'));
});

test('a file at fault is named', () => {
  const folder = mkdtempSync(join(tmpdir(), 'beam-rules-'));
  try {
    mkdirSync(join(folder, 'policies'), { recursive: true });
    writeFileSync(join(folder, 'policies', 'broken.json'), '{');
    expect(() => readCloudRules(folder)).toThrow(/broken\.json is not JSON/);
    writeFileSync(join(folder, 'policies', 'broken.json'), '{"policyName":"x","policyDocument":{},"more":1}');
    expect(() => readCloudRules(folder)).toThrow(/broken\.json is not as cloud-rules\/README\.md says/);
    expect(() => readCloudRules(join(folder, 'none'))).toThrow(/There is no folder .*none/);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
