/** The control API's operations on role aliases. */

import * as z from 'zod';
import { accountId, arn } from '../registry/arns.ts';
import type { RoleAliasRecord } from '../registry/records.ts';
import type { Registry } from '../registry/registry.ts';
import { type Handler, operation, queryBoolean, queryNumber } from './operation.ts';
import { byTime, page } from './page.ts';
import { tagging, tagList } from './tags-api.ts';

const names = (roleAlias: string) => ({ roleAlias, roleAliasArn: arn('rolealias', roleAlias) });

function description(record: RoleAliasRecord) {
  return {
    ...names(record.roleAlias),
    roleArn: record.roleArn,
    owner: accountId,
    credentialDurationSeconds: record.credentialDurationSeconds,
    creationDate: record.createdAt,
    lastModifiedDate: record.modifiedAt,
  };
}

export function roleAliasOperations({ roleAliases, tags }: Registry): [string, Handler][] {
  const roleAlias = z.string();
  const credentialDurationSeconds = z.number().int().optional();
  const tagged = tagging(tags);
  return [
    operation(
      'CreateRoleAlias',
      { roleAlias, roleArn: z.string(), credentialDurationSeconds, tags: tagList },
      (input) =>
        tagged(input.tags, arn('rolealias', input.roleAlias), async () => {
          await roleAliases.create(input.roleAlias, input.roleArn, input.credentialDurationSeconds);
          return names(input.roleAlias);
        }),
    ),
    operation('DescribeRoleAlias', { roleAlias }, (input) => ({
      roleAliasDescription: description(roleAliases.get(input.roleAlias)),
    })),
    operation(
      'ListRoleAliases',
      {
        pageSize: queryNumber.optional(),
        marker: z.string().optional(),
        ascendingOrder: queryBoolean.default(false),
      },
      ({ pageSize, marker, ascendingOrder }) => {
        const keyOf = ({ createdAt, roleAlias: name }: RoleAliasRecord) => byTime(createdAt, name);
        const { items, next } = page('ListRoleAliases', roleAliases.list(), keyOf, {
          token: marker,
          size: pageSize,
          isDescending: !ascendingOrder,
        });
        return { roleAliases: items.map((each) => each.roleAlias), nextMarker: next };
      },
    ),
    operation(
      'UpdateRoleAlias',
      { roleAlias, roleArn: z.string().optional(), credentialDurationSeconds },
      async ({ roleAlias: alias, ...change }) => {
        await roleAliases.update(alias, change);
        return names(alias);
      },
    ),
    operation('DeleteRoleAlias', { roleAlias }, async (input) => {
      await roleAliases.delete(input.roleAlias);
      return {};
    }),
  ];
}
