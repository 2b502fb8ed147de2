/** TestAuthorization: what policies would let a principal do, and which of them decides. */

import * as z from 'zod';
import { evaluate, type PolicyAction } from '../engines/policy.ts';
import { arn } from '../registry/arns.ts';
import type { Registry } from '../registry/registry.ts';
import { certificateOfPrincipal } from './certificates-api.ts';
import { type Handler, operation } from './operation.ts';

const actions: Record<string, PolicyAction> = {
  CONNECT: 'iot:Connect',
  PUBLISH: 'iot:Publish',
  SUBSCRIBE: 'iot:Subscribe',
  RECEIVE: 'iot:Receive',
};
const authInfo = z.strictObject({
  actionType: z.enum(['CONNECT', 'PUBLISH', 'SUBSCRIBE', 'RECEIVE']),
  resources: z.array(z.string()).min(1),
});

const summary = (name: string) => ({ policyName: name, policyArn: arn('policy', name) });

export function testAuthorizationOperation(registry: Registry): [string, Handler] {
  const { policies } = registry;
  return operation(
    'TestAuthorization',
    {
      principal: z.string().optional(),
      clientId: z.string().optional(),
      authInfos: z.array(authInfo).min(1).max(10),
      policyNamesToAdd: z.array(z.string()).default([]),
      policyNamesToSkip: z.array(z.string()).default([]),
    },
    (input) => {
      const certificateId =
        input.principal === undefined ? undefined : certificateOfPrincipal(input.principal);
      const clientId = input.clientId ?? '';
      const thing =
        certificateId !== undefined && registry.things.isAttached(clientId, certificateId)
          ? clientId
          : undefined;
      const added = input.policyNamesToAdd.map((name) => policies.get(name).policyName);
      const names = [...new Set([...registry.effectivePolicies(certificateId, thing), ...added])].filter(
        (name) => !input.policyNamesToSkip.includes(name),
      );
      const { variables } = registry.authorityOf(certificateId ?? '', clientId);
      return {
        authResults: input.authInfos.map((info) => {
          const action = actions[info.actionType] ?? 'iot:Connect';
          const decide = (name: string) =>
            info.resources.map((resource) =>
              evaluate(policies.statements(name), action, resource, variables),
            );
          const by = new Map(names.map((name) => [name, decide(name)]));
          const denying = names.filter((name) => by.get(name)?.includes('denied'));
          const allowing = names.filter((name) => by.get(name)?.includes('allowed'));
          // Each resource must be allowed, by whichever policy.
          const isAllowed = info.resources.every((_resource, index) =>
            names.some((name) => by.get(name)?.[index] === 'allowed'),
          );
          const decision = denying.length > 0 ? 'EXPLICIT_DENY' : isAllowed ? 'ALLOWED' : 'IMPLICIT_DENY';
          return {
            authInfo: info,
            allowed: { policies: decision === 'ALLOWED' ? allowing.map(summary) : [] },
            denied: {
              implicitDeny: { policies: decision === 'IMPLICIT_DENY' ? names.map(summary) : [] },
              explicitDeny: { policies: denying.map(summary) },
            },
            authDecision: decision,
            missingContextValues: [],
          };
        }),
      };
    },
  );
}
