/** What a provisioning claim may do: register a device by its template. It has no policy that anybody could change. */

import type { PolicyStatement } from '../engines/policy-document.ts';

export function claimStatements(templateName: string): PolicyStatement[] {
  const requests = [
    '$aws/certificates/create/*',
    '$aws/certificates/create-from-csr/*',
    `$aws/provisioning-templates/${templateName}/provision/*`,
  ];
  const allow = (actions: string[], resources: string[]): PolicyStatement => ({
    effect: 'Allow',
    actions,
    resources,
    conditions: [],
  });
  const anyOf = (kind: string) => requests.map((topic) => `arn:aws:iot:*:*:${kind}/${topic}`);
  return [
    allow(['iot:Connect'], ['*']),
    allow(['iot:Publish', 'iot:Receive'], anyOf('topic')),
    allow(['iot:Subscribe'], anyOf('topicfilter')),
  ];
}
