/**
 * Evaluates AWS IoT policies: Deny wins, then Allow, else refused. `*` and `?` are wildcards; MQTT's `+` and `#`
 * are plain characters (AWS IoT developer guide, "AWS IoT Core policy variables", "Using wildcard characters").
 */

import type { ConditionOperator, PolicyStatement } from './policy-document.ts';

/** Values of policy variables, by name without `${}`; a variable that is not there resolves to nothing. */
export type PolicyVariables = ReadonlyMap<string, string>;

/** What is known of a connection; from it come the policy's variables. */
export interface Connection {
  clientId: string;
  /** The thing that is named as the client id, when the connection's certificate is attached to it. */
  thing?: { name: string; typeName?: string; attributes: Readonly<Record<string, string>> };
}

export function connectionVariables({ clientId, thing }: Connection): PolicyVariables {
  const variables = new Map([
    ['iot:ClientId', clientId],
    ['iot:Connection.Thing.IsAttached', String(thing !== undefined)],
  ]);
  if (thing === undefined) return variables;
  variables.set('iot:Connection.Thing.ThingName', thing.name);
  if (thing.typeName !== undefined) variables.set('iot:Connection.Thing.ThingTypeName', thing.typeName);
  for (const [name, value] of Object.entries(thing.attributes)) {
    variables.set(`iot:Connection.Thing.Attributes[${name}]`, value);
  }
  return variables;
}

/** A pattern as literals, which match themselves, and wildcards. */
type Pattern = (string | { wildcard: '*' | '?' })[];

/**
 * Puts the variables' values in: they stand for themselves, wildcards in them do not count.
 * `${*}`, `${?}` and `${$}` are the characters themselves.
 * @returns undefined where a variable has no value: then the pattern matches nothing
 */
function compile(pattern: string, variables: PolicyVariables): Pattern | undefined {
  const parts: Pattern = [];
  const token = /\$\{([^}]*)\}|([*?])/g;
  let from = 0;
  for (const match of pattern.matchAll(token)) {
    if (match.index > from) parts.push(pattern.slice(from, match.index));
    from = match.index + match[0].length;
    const [, name, wildcard] = match;
    if (wildcard === '*' || wildcard === '?') {
      parts.push({ wildcard });
    } else if (name === '*' || name === '?' || name === '$') {
      parts.push(name);
    } else {
      const value = variables.get(name ?? '');
      if (value === undefined) return undefined;
      parts.push(value);
    }
  }
  if (from < pattern.length) parts.push(pattern.slice(from));
  return parts;
}

/** Backtracks to the last `*` only, so it takes at most (text × pattern) steps. */
function matches(pattern: Pattern, text: string): boolean {
  const units = pattern.flatMap((part): Pattern => (typeof part === 'string' ? [...part] : [part]));
  const characters = [...text];
  let at = 0;
  let unit = 0;
  let star = -1;
  let starAt = 0;
  while (at < characters.length) {
    const current = units[unit];
    if (typeof current === 'object' && current.wildcard === '*') {
      star = unit++;
      starAt = at;
    } else if (current !== undefined && (typeof current === 'object' || current === characters[at])) {
      unit++;
      at++;
    } else if (star >= 0) {
      unit = star + 1;
      at = ++starAt;
    } else {
      return false;
    }
  }
  return units.slice(unit).every((rest) => typeof rest === 'object' && rest.wildcard === '*');
}

function patternMatches(pattern: string, text: string, variables: PolicyVariables): boolean {
  const compiled = compile(pattern, variables);
  return compiled !== undefined && matches(compiled, text);
}

const none: PolicyVariables = new Map();

/** @param key as AWS writes it: with or without `${}` */
function conditionHolds(
  operator: ConditionOperator,
  key: string,
  values: readonly string[],
  variables: PolicyVariables,
): boolean {
  const actual = variables.get(key.replace(/^\$\{(.*)\}$/, '$1'));
  const negated = operator.startsWith('StringNot');
  // AWS: a key without a value fails the positive operators and passes the negated ones.
  if (actual === undefined) return negated;
  const equal = (value: string): boolean => {
    const expected = compile(value, variables);
    if (expected === undefined) return false;
    if (operator === 'StringLike' || operator === 'StringNotLike') return matches(expected, actual);
    const literal = expected.map((part) => (typeof part === 'string' ? part : part.wildcard)).join('');
    if (operator === 'StringEquals' || operator === 'StringNotEquals') return literal === actual;
    return literal.toLowerCase() === actual.toLowerCase();
  };
  return values.some(equal) !== negated;
}

function applies(
  statement: PolicyStatement,
  action: string,
  resource: string,
  variables: PolicyVariables,
): boolean {
  return (
    statement.actions.some((pattern) => patternMatches(pattern.toLowerCase(), action.toLowerCase(), none)) &&
    statement.resources.some((pattern) => patternMatches(pattern, resource, variables)) &&
    statement.conditions.every(({ operator, key, values }) =>
      conditionHolds(operator, key, values, variables),
    )
  );
}

export type PolicyAction =
  | 'iot:Connect'
  | 'iot:Publish'
  | 'iot:RetainPublish'
  | 'iot:Subscribe'
  | 'iot:Receive';

export type Decision = 'allowed' | 'denied' | 'not-allowed';

/** @param resource a whole ARN */
export function evaluate(
  statements: readonly PolicyStatement[],
  action: PolicyAction | 'iot:AssumeRoleWithCertificate',
  resource: string,
  variables: PolicyVariables,
): Decision {
  let decision: Decision = 'not-allowed';
  for (const statement of statements) {
    if (!applies(statement, action, resource, variables)) continue;
    if (statement.effect === 'Deny') return 'denied';
    decision = 'allowed';
  }
  return decision;
}
