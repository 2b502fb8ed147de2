/**
 * What a role of `cloud-rules/role-aliases` may do: its IAM statements over the requests of its short-lived credentials. All
 * that is not allowed there is refused; the local cloud knows no other permissions of roles.
 */

import { isObject, type JsonObject, type JsonValue } from '../engines/json-tree.ts';
import { accountId, region } from '../registry/arns.ts';
import { remembering } from '../remembering.ts';

export interface RoleStatement {
  actions: readonly string[];
  resource: string;
  /** IAM's Condition block: operator → key → values. */
  condition?: Record<string, Record<string, string | readonly string[]>> | undefined;
}

/** Of the one condition that the local cloud knows. */
const operator = 'ForAllValues:StringEquals';
const attributesKey = 'dynamodb:Attributes';

/** @throws Error where a statement says what the evaluator does not know */
export function checkStatements(roleAlias: string, statements: readonly RoleStatement[]): void {
  for (const { condition = {} } of statements) {
    for (const [name, keys] of Object.entries(condition)) {
      if (name === operator && Object.keys(keys).every((key) => key === attributesKey)) continue;
      throw new Error(
        `Role alias ${roleAlias}: the local cloud knows no condition ${name} ${Object.keys(keys)}`,
      );
    }
  }
}

/** @param request the body of a DynamoDB request @returns why it may not, or undefined */
export function dynamoRefusal(
  statements: readonly RoleStatement[],
  operation: string,
  request: JsonValue,
): string | undefined {
  const action = `dynamodb:${operation}`;
  const table = isObject(request) && typeof request.TableName === 'string' ? request.TableName : undefined;
  if (table === undefined || !isObject(request)) return `${action} on no table`;
  const resource = `arn:aws:dynamodb:${region}:${accountId}:table/${table}`;
  const named = attributesOf(request);
  const allows = statements.some(
    (statement) =>
      statement.actions.includes(action) &&
      withNames(statement.resource) === resource &&
      holds(statement, named),
  );
  return allows ? undefined : `no statement allows ${action} on ${resource}, naming ${named.join(', ')}`;
}

/** A signer sends the same few expressions with each position. */
const keptMax = 200;
const expressionCharsMax = 4_096;

/** `${region}` and `${account}`, as in lambdas/manifest.json. */
const withNames = remembering(keptMax, (resource) => {
  const values: Record<string, string> = { region, account: accountId };
  return resource.replace(/\$\{(region|account)\}/g, (_all, name: string) => values[name] ?? '');
});

function holds({ condition = {} }: RoleStatement, named: readonly string[]): boolean {
  return Object.values(condition).every((keys) =>
    Object.values(keys).every((values) => {
      const allowed = typeof values === 'string' ? [values] : values;
      return named.every((name) => allowed.includes(name));
    }),
  );
}

const expressions = [
  'UpdateExpression',
  'ConditionExpression',
  'ProjectionExpression',
  'KeyConditionExpression',
];
const words =
  /^(SET|REMOVE|ADD|DELETE|AND|OR|NOT|BETWEEN|IN|attribute_exists|attribute_not_exists|attribute_type|begins_with|contains|size|if_not_exists|list_append)$/i;

/** Attributes that an expression names by themselves, not by `#…`. */
const namesIn = remembering<readonly string[]>(
  keptMax,
  (expression) =>
    [...expression.matchAll(/(?<![#:.\w])[A-Za-z_]\w*/g)]
      .map(([name]) => name)
      .filter((name) => !words.test(name)),
  expressionCharsMax,
);

/** Every top-level attribute that a request names. */
function attributesOf(request: JsonObject): string[] {
  const members = (value: JsonValue | undefined) =>
    value !== undefined && isObject(value) ? Object.entries(value) : [];
  const named = new Set<string>();
  for (const member of ['Key', 'Item', 'Expected', 'AttributeUpdates']) {
    for (const [name] of members(request[member])) named.add(name);
  }
  for (const [, name] of members(request.ExpressionAttributeNames)) {
    if (typeof name === 'string') named.add(name);
  }
  for (const member of expressions) {
    const text = request[member];
    if (typeof text !== 'string') continue;
    for (const name of namesIn(text)) named.add(name);
  }
  return [...named];
}
