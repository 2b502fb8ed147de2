/** What a message brings with it. */
import type { SqlFunction } from './function.ts';
import { toInt, toText } from './values.ts';

export const messageFunctions: Record<string, SqlFunction> = {
  accountid: { arity: [0, 0], call: (_, message) => message.accountId },
  clientid: { arity: [0, 0], call: (_, message) => message.clientId ?? 'n/a' },
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
  newuuid: { arity: [0, 0], call: (_, message) => message.newUuid() },
  principal: { arity: [0, 0], call: (_, message) => message.principal },
  sql_version: { arity: [0, 0], call: () => '2016-03-23' },
  timestamp: { arity: [0, 0], call: (_, message) => message.receivedAt },
  topic: {
    arity: [0, 1],
    call(values, message) {
      if (values.length === 0) return message.topic;
      const segment = toInt(values[0]);
      return segment === undefined || segment < 1 ? undefined : message.topic.split('/')[segment - 1];
    },
  },
  traceid: { arity: [0, 0], call: (_, message) => message.traceId },
};
