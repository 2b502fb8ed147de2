import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { allowAll, openTestCloud } from '../local-cloud/core-fixture.ts';
import { dynamoTable } from './dynamodb.ts';
import { type ProviderAnswer, RoleAliasCredentials } from './role-alias-credentials.ts';

const hourMs = 3_600_000;

/** A provider and a clock in the test's hands. */
function setUp() {
  const at = { wallMs: 1_000_000, nowMs: 0, providerMs: 1_000_000 };
  const asked: number[] = [];
  let next: (answer: ProviderAnswer | Error) => void = () => undefined;
  const role = new RoleAliasCredentials(
    { provider: 'x:1', roleAlias: 'a', thing: 't', certificate: '', key: '' },
    () =>
      new Promise((resolve, reject) => {
        asked.push(at.nowMs);
        next = (answer) => (answer instanceof Error ? reject(answer) : resolve(answer));
      }),
    { wall: () => at.wallMs, now: () => at.nowMs, random: () => 1 },
  );
  return {
    at,
    asked,
    role,
    give: async (name: string) => {
      const credentials = { accessKeyId: name, secretAccessKey: 's', sessionToken: 't' };
      next({ credentials, expiresAtMs: at.providerMs + hourMs, dateMs: at.providerMs });
      await new Promise((resolve) => setImmediate(resolve));
    },
    fail: async (why: string) => {
      next(new Error(why));
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

test('renewed at half of their life, in the background and once; used to their end where that fails, with a word', async () => {
  const { at, asked, role, give, fail } = setUp();
  const first = role.get();
  await give('one');
  expect((await first).accessKeyId).toBe('one');
  at.nowMs = hourMs / 2 - 1;
  await role.get();
  expect(asked).toEqual([0]);
  at.nowMs = hourMs / 2;
  expect((await Promise.all([role.get(), role.get()])).map(({ accessKeyId }) => accessKeyId)).toEqual([
    'one',
    'one',
  ]);
  expect(asked).toEqual([0, hourMs / 2]);
  await fail('no way');
  expect(role.trouble).toMatch(/can't be renewed \(no way\); the ones in use end in 1800 s/);
  // Not again before the pause is over: a provider in trouble is left in peace.
  at.nowMs += 999;
  await role.get();
  expect(asked).toHaveLength(2);
  at.nowMs += 1;
  await role.get();
  expect(asked).toHaveLength(3);
  await give('two');
  expect((await role.get()).accessKeyId).toBe('two');
  expect(role.trouble).toBeUndefined();

  at.nowMs += hourMs;
  const late = expect(role.get()).rejects.toThrow('gone');
  await fail('gone');
  await late;
});

test('a signer that has none yet asks again each few seconds: it may have come up before its network', async () => {
  const { at, asked, role, fail } = setUp();
  for (let tries = 1; tries <= 12; tries++) {
    const late = expect(role.get()).rejects.toThrow('no network');
    await fail('no network');
    await late;
    expect(asked).toHaveLength(tries);
    at.nowMs += 5_000;
  }
});

test('a clock that is an hour off is told, and neither cuts nor stretches their life', async () => {
  const { at, role, give, asked } = setUp();
  at.wallMs = at.providerMs - hourMs;
  const first = role.get();
  await give('one');
  await first;
  expect(role.trouble).toMatch(/clock is 3600 s behind AWS's.*NTP/);
  at.nowMs = hourMs / 2 - 1;
  await role.get();
  expect(asked).toHaveLength(1);
});

test('by its certificate a validator has credentials for the sign record alone; others have none', async () => {
  const statements = JSON.parse(
    readFileSync(new URL('../cloud-rules/role-aliases/beam-signer.json', import.meta.url), 'utf8'),
  ).iam;
  const cloud = await openTestCloud({ roleStatements: new Map([['beam-signer', statements]]) });
  try {
    const { registry } = cloud.core;
    await registry.roleAliases.create('beam-signer', 'arn:aws:iam::000000000000:role/beam-signer');
    await registry.policies.ensure(
      'beam-validator',
      JSON.stringify(
        JSON.parse(
          readFileSync(new URL('../cloud-rules/policies/beam-validator.json', import.meta.url), 'utf8'),
        ).policyDocument,
      ),
    );
    await registry.policies.ensure('pilot', allowAll.replace('iot:*', 'iot:Connect'));
    const validator = await cloud.device('demo_a', ['beam-validator']);
    const sentry = await cloud.device('demo_s', ['pilot']);
    const roleOf = (device: typeof validator, thing = device.thing) =>
      new RoleAliasCredentials({
        provider: cloud.ready.credentialProvider,
        roleAlias: 'beam-signer',
        thing,
        certificate: device.certificatePath,
        key: device.keyPath,
        ca: cloud.ready.ca,
      });
    const { https: endpoint, ca, region } = cloud.ready;
    const table = (name: string) =>
      dynamoTable({ table: name, region, endpoint, ca, roleAlias: roleOf(validator) });
    const { signal } = new AbortController();
    const [sign, fleet] = [table('beam-sign'), table('beam-fleet')];
    const update = (names: Record<string, string>) =>
      sign.updateItem(
        {
          TableName: 'beam-sign',
          Key: { key: { S: 'x' } },
          UpdateExpression: 'SET #a = :a',
          ConditionExpression: 'recordId = :a',
          ExpressionAttributeNames: names,
          ExpressionAttributeValues: { ':a': { S: 'x' } },
          ReturnValues: 'ALL_NEW',
        },
        signal,
      );
    expect(await sign.getItem('x', signal)).toBeUndefined();
    expect(await update({ '#a': 'holder' })).toEqual({});
    await expect(update({ '#a': 'something' })).rejects.toMatchObject({ name: 'AccessDeniedException' });
    await expect(fleet.getItem('x', signal)).rejects.toMatchObject({ name: 'AccessDeniedException' });
    for (const each of [sign, fleet]) each.close();
    const untrusting = dynamoTable({ table: 'beam-sign', region, endpoint, roleAlias: roleOf(validator) });
    await expect(untrusting.getItem('x', signal)).rejects.toMatchObject({
      code: expect.stringMatching(/SELF_SIGNED_CERT|UNABLE_TO_/),
    });

    await expect(roleOf(sentry).get()).rejects.toThrow(/403 Access Denied/);
    await expect(roleOf(validator, 'demo_s').get()).rejects.toThrow(/403 Invalid thing name/);
    await registry.certificates.update(validator.certificateId, 'REVOKED');
    await expect(roleOf(validator).get()).rejects.toThrow(/403 .*REVOKED/);
  } finally {
    await cloud.close();
  }
});
