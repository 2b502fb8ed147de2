/** Policies, rules and provisioning templates of AWS IoT. */

import {
  CreatePolicyCommand,
  CreatePolicyVersionCommand,
  CreateProvisioningTemplateCommand,
  CreateProvisioningTemplateVersionCommand,
  CreateTopicRuleCommand,
  DeletePolicyVersionCommand,
  DescribeProvisioningTemplateCommand,
  GetPolicyCommand,
  GetTopicRuleCommand,
  type IoTClient,
  ListPolicyVersionsCommand,
  paginateListTopicRules,
  ReplaceTopicRuleCommand,
  type TopicRulePayload,
  UpdateProvisioningTemplateCommand,
} from '@aws-sdk/client-iot';
import type { Change, CloudFiles, DeployedTemplate } from './deployment.ts';
import {
  canonical,
  created,
  type DeployContext,
  differences,
  parsedOrText,
  unlessMissing,
  updated,
} from './place.ts';

/** AWS keeps as many of a policy. */
const policyVersionsMax = 5;

export async function ensurePolicy(
  { iot, dryRun }: DeployContext,
  { policyName, document }: CloudFiles['policies'][number],
): Promise<Change> {
  const found = await unlessMissing(
    iot.send(new GetPolicyCommand({ policyName })),
    'ResourceNotFoundException',
  );
  if (!found) {
    if (!dryRun) await iot.send(new CreatePolicyCommand({ policyName, policyDocument: document }));
    return created('policy', policyName);
  }
  if (canonical(parsedOrText(found.policyDocument)) === canonical(parsedOrText(document)))
    return updated('policy', policyName, []);
  if (!dryRun) {
    await makeRoomForVersion(iot, policyName);
    await iot.send(
      new CreatePolicyVersionCommand({ policyName, policyDocument: document, setAsDefault: true }),
    );
  }
  return updated('policy', policyName, ['document']);
}

async function makeRoomForVersion(iot: IoTClient, policyName: string): Promise<void> {
  const { policyVersions = [] } = await iot.send(new ListPolicyVersionsCommand({ policyName }));
  if (policyVersions.length < policyVersionsMax) return;
  const [oldest] = policyVersions
    .filter(({ isDefaultVersion }) => !isDefaultVersion)
    .sort((a, b) => Number(a.versionId) - Number(b.versionId));
  if (oldest?.versionId !== undefined)
    await iot.send(new DeletePolicyVersionCommand({ policyName, policyVersionId: oldest.versionId }));
}

/** Names of the rules that there are: AWS answers a get of one that is not there as it does where access is denied. */
export async function ruleNames({ iot }: DeployContext): Promise<Set<string>> {
  const names = new Set<string>();
  for await (const { rules = [] } of paginateListTopicRules({ client: iot }, {}))
    for (const { ruleName } of rules) if (ruleName !== undefined) names.add(ruleName);
  return names;
}

export async function ensureRule(
  { iot, dryRun }: DeployContext,
  { ruleName, topicRulePayload }: CloudFiles['rules'][number],
  known: ReadonlySet<string>,
): Promise<Change> {
  const payload = topicRulePayload as unknown as TopicRulePayload;
  if (!known.has(ruleName)) {
    if (!dryRun) await iot.send(new CreateTopicRuleCommand({ ruleName, topicRulePayload: payload }));
    return created('rule', ruleName);
  }
  const { rule = {} } = await iot.send(new GetTopicRuleCommand({ ruleName }));
  const different = differences(topicRulePayload, { ...rule });
  if (different.length > 0 && !dryRun)
    await iot.send(new ReplaceTopicRuleCommand({ ruleName, topicRulePayload: payload }));
  return updated('rule', ruleName, different);
}

export async function ensureTemplate(
  { iot, dryRun }: DeployContext,
  template: DeployedTemplate,
): Promise<Change> {
  const {
    templateName,
    templateBody,
    description,
    enabled = false,
    provisioningRoleArn,
    preProvisioningHook,
  } = template;
  const settings = {
    enabled,
    provisioningRoleArn,
    ...(description !== undefined && { description }),
    ...(preProvisioningHook && { preProvisioningHook }),
  };
  const found = await unlessMissing(
    iot.send(new DescribeProvisioningTemplateCommand({ templateName })),
    'ResourceNotFoundException',
  );
  if (!found) {
    if (!dryRun)
      await iot.send(new CreateProvisioningTemplateCommand({ templateName, templateBody, ...settings }));
    return created('template', templateName);
  }
  const what = differences(settings, { ...found });
  const sameBody = canonical(parsedOrText(found.templateBody)) === canonical(parsedOrText(templateBody));
  if (!dryRun) {
    if (!sameBody)
      await iot.send(
        new CreateProvisioningTemplateVersionCommand({ templateName, templateBody, setAsDefault: true }),
      );
    if (what.length > 0) await iot.send(new UpdateProvisioningTemplateCommand({ templateName, ...settings }));
  }
  return updated('template', templateName, [...what, ...(sameBody ? [] : ['body'])]);
}
