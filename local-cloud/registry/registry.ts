/** Things, groups, certificates and policies together, and who a connection is under them. */

import { type Connection, connectionVariables, type PolicyVariables } from '../engines/policy.ts';
import type { PolicyStatement } from '../engines/policy-document.ts';
import type { Store } from '../store/store.ts';
import type { Issuer } from '../tls/issuer.ts';
import { arn } from './arns.ts';
import { CaCertificates } from './ca-certificates.ts';
import { Certificates } from './certificates.ts';
import { claimStatements } from './claim-statements.ts';
import { Policies } from './policies.ts';
import { ProvisioningTemplates } from './provisioning-templates.ts';
import { RoleAliases } from './role-aliases.ts';
import { Tags } from './tags.ts';
import { ThingGroups } from './thing-groups.ts';
import { Things } from './things.ts';

/** What a connection may do: the statements that hold for it, and its variables' values. */
export interface Authority {
  statements: PolicyStatement[];
  variables: PolicyVariables;
}

export interface Registry {
  things: Things;
  groups: ThingGroups;
  certificates: Certificates;
  authorities: CaCertificates;
  policies: Policies;
  templates: ProvisioningTemplates;
  roleAliases: RoleAliases;
  tags: Tags;
  /** Called after every change that is on disk. */
  onChange(listener: () => void): void;
  authorityOf(certificateId: string, clientId: string): Authority;
  /** Names of the policies that hold for a certificate, as the given thing: its own and those of the thing's groups. */
  effectivePolicies(certificateId: string | undefined, thingName: string | undefined): string[];
}

export function createRegistry(store: Store, issuer: Issuer): Registry {
  const listeners: (() => void)[] = [];
  const changed = () => {
    for (const listener of listeners) listener();
  };
  const things = new Things(store, changed);
  const groups = new ThingGroups(store, changed);
  const templates = new ProvisioningTemplates(store);
  const authorities = new CaCertificates(store, templates);
  const certificates = new Certificates(store, issuer, authorities, changed);
  const policies = new Policies(store, changed);
  return {
    things,
    groups,
    certificates,
    authorities,
    policies,
    templates,
    roleAliases: new RoleAliases(store),
    tags: new Tags(store),
    onChange: (listener) => {
      listeners.push(listener);
    },
    effectivePolicies(certificateId, thingName) {
      const above =
        thingName === undefined ? [] : groups.groupsOf(thingName).flatMap((name) => groups.lineage(name));
      const targets = [
        ...(certificateId === undefined ? [] : [arn('cert', certificateId)]),
        ...new Set(above.map((name) => arn('thinggroup', name))),
      ];
      return [...new Set(targets.flatMap((target) => policies.attachedTo(target)))];
    },
    authorityOf(certificateId, clientId) {
      const claim = certificates.find(certificateId)?.claim;
      if (claim) {
        const variables = connectionVariables({ clientId });
        return { statements: claimStatements(claim.templateName), variables };
      }
      const record = things.isAttached(clientId, certificateId) ? things.find(clientId) : undefined;
      const connection: Connection = {
        clientId,
        ...(record
          ? {
              thing: {
                name: record.thingName,
                ...(record.thingTypeName === undefined ? {} : { typeName: record.thingTypeName }),
                attributes: record.attributes,
              },
            }
          : {}),
      };
      const above = record ? groups.groupsOf(record.thingName).flatMap((name) => groups.lineage(name)) : [];
      const targets = [arn('cert', certificateId), ...new Set(above.map((name) => arn('thinggroup', name)))];
      return { statements: policies.statementsOf(targets), variables: connectionVariables(connection) };
    },
  };
}
