import { Agent } from 'node:https';
import {
  AddThingToThingGroupCommand,
  AttachPolicyCommand,
  CreatePolicyCommand,
  CreatePolicyVersionCommand,
  CreateRoleAliasCommand,
  CreateThingGroupCommand,
  CreateThingTypeCommand,
  CreateTopicRuleCommand,
  DeletePolicyCommand,
  DeletePolicyVersionCommand,
  DeleteRoleAliasCommand,
  DeleteThingGroupCommand,
  DeleteThingTypeCommand,
  DeprecateThingTypeCommand,
  DescribeEndpointCommand,
  DescribeRoleAliasCommand,
  DescribeThingGroupCommand,
  DescribeThingTypeCommand,
  DisableTopicRuleCommand,
  EnableTopicRuleCommand,
  GetEffectivePoliciesCommand,
  GetPolicyCommand,
  GetPolicyVersionCommand,
  GetTopicRuleCommand,
  IoTClient,
  ListAttachedPoliciesCommand,
  ListPolicyVersionsCommand,
  ListRoleAliasesCommand,
  ListTagsForResourceCommand,
  ListThingGroupsCommand,
  ListThingGroupsForThingCommand,
  SetDefaultPolicyVersionCommand,
  TagResourceCommand,
  TestAuthorizationCommand,
  UntagResourceCommand,
  UpdateRoleAliasCommand,
  UpdateThingGroupCommand,
  UpdateThingGroupsForThingCommand,
} from '@aws-sdk/client-iot';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { openTestCloud, type TestCloud } from '../core-fixture.ts';
import { arn } from '../registry/arns.ts';

let cloud: TestCloud;
let iot: IoTClient;

beforeAll(async () => {
  cloud = await openTestCloud();
  const { accessKeyId, secretAccessKey, https } = cloud.ready;
  iot = new IoTClient({
    endpoint: https,
    region: 'local',
    credentials: { accessKeyId, secretAccessKey },
    requestHandler: new NodeHttpHandler({ httpsAgent: new Agent({ ca: cloud.caPem, keepAlive: true }) }),
    maxAttempts: 1,
  });
});
afterAll(async () => {
  iot.destroy();
  await cloud.close();
});

const document = (effect: string, action: string, resource: string) =>
  JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ Effect: effect, Action: action, Resource: resource }],
  });
const refusal = (name: string, message: RegExp) =>
  expect.objectContaining({ name, message: expect.stringMatching(message) });

test('a policy has up to five versions, of which one holds, at once', async () => {
  const policyName = 'versioned';
  const body = (n: number) => document('Allow', 'iot:Connect', arn('client', `c${n}`));
  await iot.send(new CreatePolicyCommand({ policyName, policyDocument: body(1) }));
  const device = await cloud.device('c2', [policyName]);
  await expect(cloud.connect(device)).rejects.toThrow();

  const create = (n: number, setAsDefault: boolean) =>
    iot.send(new CreatePolicyVersionCommand({ policyName, policyDocument: body(n), setAsDefault }));
  expect(await create(2, true)).toMatchObject({ policyVersionId: '2', isDefaultVersion: true });
  expect((await cloud.connect(device)).connected).toBe(true);
  for (const n of [3, 4, 5]) await create(n, false);
  await expect(create(6, false)).rejects.toEqual(refusal('VersionsLimitExceededException', /versioned/));
  expect(
    (await iot.send(new GetPolicyVersionCommand({ policyName, policyVersionId: '1' }))).policyDocument,
  ).toBe(body(1));
  await iot.send(new SetDefaultPolicyVersionCommand({ policyName, policyVersionId: '3' }));
  expect(await iot.send(new GetPolicyCommand({ policyName }))).toMatchObject({
    policyDocument: body(3),
    defaultVersionId: '3',
  });
  const remove = (policyVersionId: string) =>
    iot.send(new DeletePolicyVersionCommand({ policyName, policyVersionId }));
  await expect(remove('3')).rejects.toEqual(refusal('DeleteConflictException', /default version/));
  for (const id of ['1', '2', '4', '5']) await remove(id);
  const { policyVersions } = await iot.send(new ListPolicyVersionsCommand({ policyName }));
  expect(policyVersions).toMatchObject([{ versionId: '3', isDefaultVersion: true }]);
  await expect(iot.send(new DeletePolicyCommand({ policyName }))).rejects.toEqual(
    refusal('DeleteConflictException', /attached/),
  );
});

test('effective policies come from the certificate and its thing\u2019s groups, and TestAuthorization says which decides', async () => {
  const make = (policyName: string, policyDocument: string) =>
    iot.send(new CreatePolicyCommand({ policyName, policyDocument }));
  await make(
    'own',
    document('Allow', 'iot:Publish', arn('topic', 'a/$'.concat('{iot:Connection.Thing.ThingName}'))),
  );
  await make('of-group', document('Deny', 'iot:Publish', arn('topic', 'a/x')));
  const { thing: thingName, certificateId } = await cloud.device('eff-1', ['own']);
  const principal = arn('cert', certificateId);
  await iot.send(new CreateThingGroupCommand({ thingGroupName: 'top' }));
  await iot.send(new CreateThingGroupCommand({ thingGroupName: 'below', parentGroupName: 'top' }));
  await iot.send(new AttachPolicyCommand({ policyName: 'of-group', target: arn('thinggroup', 'top') }));
  await iot.send(new AddThingToThingGroupCommand({ thingGroupName: 'below', thingName }));
  const attached = await iot.send(
    new ListAttachedPoliciesCommand({ target: arn('thinggroup', 'below'), recursive: true }),
  );
  expect(attached.policies?.map((each) => each.policyName)).toEqual(['of-group']);
  const { effectivePolicies } = await iot.send(new GetEffectivePoliciesCommand({ principal, thingName }));
  expect(effectivePolicies?.map((each) => each.policyName)).toEqual(['own', 'of-group']);

  const { authResults } = await iot.send(
    new TestAuthorizationCommand({
      principal,
      clientId: thingName,
      authInfos: ['a/eff-1', 'a/x', 'a/y'].map((topic) => ({
        actionType: 'PUBLISH',
        resources: [arn('topic', topic)],
      })),
    }),
  );
  expect(authResults?.map((each) => each.authDecision)).toEqual([
    'ALLOWED',
    'EXPLICIT_DENY',
    'IMPLICIT_DENY',
  ]);
  expect(authResults?.[0]?.allowed?.policies?.map((each) => each.policyName)).toEqual(['own']);
  expect(authResults?.[1]?.denied?.explicitDeny?.policies?.map((each) => each.policyName)).toEqual([
    'of-group',
  ]);
  const skipping = await iot.send(
    new TestAuthorizationCommand({
      principal,
      clientId: thingName,
      policyNamesToSkip: ['own'],
      authInfos: [{ actionType: 'PUBLISH', resources: [arn('topic', 'a/eff-1')] }],
    }),
  );
  expect(skipping.authResults?.[0]?.authDecision).toBe('IMPLICIT_DENY');
});

test('groups are changed by version, listed by parent, and deleted from below', async () => {
  await iot.send(new CreateThingGroupCommand({ thingGroupName: 'g1' }));
  await iot.send(new CreateThingGroupCommand({ thingGroupName: 'g2', parentGroupName: 'g1' }));
  await iot.send(new CreateThingGroupCommand({ thingGroupName: 'g3', parentGroupName: 'g2' }));
  const update = (expectedVersion: number) =>
    iot.send(
      new UpdateThingGroupCommand({
        thingGroupName: 'g2',
        thingGroupProperties: {
          thingGroupDescription: 'second',
          attributePayload: { attributes: { a: '1' } },
        },
        expectedVersion,
      }),
    );
  expect((await update(1)).version).toBe(2);
  await expect(update(1)).rejects.toEqual(refusal('VersionConflictException', /it is 2/));
  const described = await iot.send(new DescribeThingGroupCommand({ thingGroupName: 'g3' }));
  expect(described.thingGroupMetadata?.rootToParentThingGroups?.map((each) => each.groupName)).toEqual([
    'g1',
    'g2',
  ]);
  const below = async (recursive: boolean) =>
    (await iot.send(new ListThingGroupsCommand({ parentGroup: 'g1', recursive }))).thingGroups?.map(
      (each) => each.groupName,
    );
  expect([await below(false), await below(true)]).toEqual([['g2'], ['g2', 'g3']]);

  const { thing: thingName } = await cloud.device('grouped-1', []);
  await iot.send(new UpdateThingGroupsForThingCommand({ thingName, thingGroupsToAdd: ['g2', 'g3'] }));
  await iot.send(new UpdateThingGroupsForThingCommand({ thingName, thingGroupsToRemove: ['g2'] }));
  const remove = (thingGroupName: string) => iot.send(new DeleteThingGroupCommand({ thingGroupName }));
  await expect(remove('g2')).rejects.toEqual(refusal('InvalidRequestException', /child group g3/));
  await remove('g3');
  expect((await iot.send(new ListThingGroupsForThingCommand({ thingName }))).thingGroups).toEqual([]);
  await remove('g2');
});

test('role aliases, types, tags and rules, by the operations that are left', async () => {
  const roleArn = 'arn:aws:iam::000000000000:role/signer';
  const roleAlias = 'signer';
  const tags = [{ Key: 'team', Value: 'a b' }];
  await iot.send(new CreateRoleAliasCommand({ roleAlias, roleArn, tags }));
  await iot.send(new UpdateRoleAliasCommand({ roleAlias, credentialDurationSeconds: 900 }));
  await expect(
    iot.send(new UpdateRoleAliasCommand({ roleAlias, credentialDurationSeconds: 60 })),
  ).rejects.toEqual(refusal('InvalidRequestException', /900/));
  expect((await iot.send(new DescribeRoleAliasCommand({ roleAlias }))).roleAliasDescription).toMatchObject({
    roleArn,
    credentialDurationSeconds: 900,
  });
  const resourceArn = arn('rolealias', roleAlias);
  await iot.send(new TagResourceCommand({ resourceArn, tags: [{ Key: 'zone', Value: '1' }] }));
  await iot.send(new UntagResourceCommand({ resourceArn, tagKeys: ['team'] }));
  expect((await iot.send(new ListTagsForResourceCommand({ resourceArn }))).tags).toEqual([
    { Key: 'zone', Value: '1' },
  ]);
  await iot.send(new DeleteRoleAliasCommand({ roleAlias }));
  expect((await iot.send(new ListRoleAliasesCommand({}))).roleAliases).toEqual([]);
  await expect(iot.send(new ListTagsForResourceCommand({ resourceArn }))).rejects.toEqual(
    refusal('ResourceNotFoundException', /signer/),
  );
  const { endpointAddress } = await iot.send(
    new DescribeEndpointCommand({ endpointType: 'iot:CredentialProvider' }),
  );
  expect(endpointAddress).toBe(cloud.ready.credentialProvider);

  const thingTypeName = 'old';
  await iot.send(new CreateThingTypeCommand({ thingTypeName, tags }));
  await iot.send(new DeprecateThingTypeCommand({ thingTypeName }));
  expect((await iot.send(new DescribeThingTypeCommand({ thingTypeName }))).thingTypeMetadata).toMatchObject({
    deprecated: true,
    deprecationDate: expect.any(Date),
  });
  await expect(iot.send(new DeleteThingTypeCommand({ thingTypeName }))).rejects.toEqual(
    refusal('InvalidRequestException', /5 minutes/),
  );

  const ruleName = 'tagged';
  await iot.send(
    new CreateTopicRuleCommand({
      ruleName,
      tags: 'team=a%20b',
      topicRulePayload: { sql: "SELECT * FROM 'a'", actions: [] },
    }),
  );
  expect(
    (await iot.send(new ListTagsForResourceCommand({ resourceArn: arn('rule', ruleName) }))).tags,
  ).toEqual(tags);
  const isDisabled = async () => (await iot.send(new GetTopicRuleCommand({ ruleName }))).rule?.ruleDisabled;
  await iot.send(new DisableTopicRuleCommand({ ruleName }));
  expect(await isDisabled()).toBe(true);
  await iot.send(new EnableTopicRuleCommand({ ruleName }));
  expect(await isDisabled()).toBe(false);
});
