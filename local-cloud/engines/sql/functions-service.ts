/** What other services know: shadows and the registry at once, functions and tables by a question (answers.ts). Roles are of no use here. */
import { literalText, type SqlFunction } from './function.ts';
import type { Message, Question, RegistryApi } from './message.ts';
import { type ObjectValue, toText, type Value } from './values.ts';

const registryApis: readonly RegistryApi[] = ['DescribeThing', 'ListThingGroupsForThing'];

function ask(message: Message, question: Question): Value {
  if (!message.ask)
    throw new Error(`${question.call}() calls another service, and none is within reach here`);
  return message.ask(question);
}

/** A key's value; Undefined for what no key can be. */
const isKeyValue = (value: Value) => typeof value === 'string' || typeof value === 'number';

export const serviceFunctions: Record<string, SqlFunction> = {
  aws_lambda: {
    arity: [2, 2],
    call([functionArn, input], message) {
      if (typeof functionArn !== 'string' || input === undefined) return undefined;
      return ask(message, { call: 'aws_lambda', functionArn, input });
    },
  },
  /** (table, key name, key value[, sort key name, sort key value], role) */
  get_dynamodb: {
    arity: [4, 6],
    call(values, message) {
      const [tableName, name, value] = values;
      const [sortName, sortValue] = values.length === 6 ? values.slice(3, 5) : [];
      if (typeof tableName !== 'string' || typeof name !== 'string' || !isKeyValue(value)) return undefined;
      const key: ObjectValue = { [name]: value };
      if (values.length === 6) {
        if (typeof sortName !== 'string' || !isKeyValue(sortValue)) return undefined;
        key[sortName] = sortValue;
      }
      return ask(message, { call: 'get_dynamodb', tableName, key });
    },
    check: (given) => (given.length === 5 ? 'a sort key has a name and a value' : undefined),
  },
  /** (API, thing, role) */
  get_registry_data: {
    arity: [3, 3],
    call([api, given], message) {
      const known = registryApis.find((name) => name === api);
      const thing = toText(given);
      if (!known || thing === undefined) return undefined;
      if (!message.getRegistryData) throw new Error('get_registry_data() reaches no registry here');
      return message.getRegistryData(known, thing);
    },
    check(given) {
      const api = literalText(given[0]);
      return registryApis.some((name) => name === api)
        ? undefined
        : `the API is one of the literals ${registryApis.map((name) => `'${name}'`).join(', ')}`;
    },
  },
  /** (thing, role) the classic shadow, (thing, shadow, role) a named one. */
  get_thing_shadow: {
    arity: [2, 3],
    call(values, message) {
      const thing = toText(values[0]);
      const shadow = values.length === 3 ? toText(values[1]) : undefined;
      if (thing === undefined || (values.length === 3 && shadow === undefined)) return undefined;
      if (!message.getThingShadow) throw new Error('get_thing_shadow() reaches no shadows here');
      return message.getThingShadow(thing, shadow);
    },
  },
};

/** AWS allows them everywhere but in an error action. */
export const serviceFunctionNames: readonly string[] = Object.keys(serviceFunctions);
