/** What an error action gets: one message with every failure of the rule's actions. */
import type { Message } from '../engines/sql/message.ts';
import type { Value } from '../engines/sql/values.ts';

export type Failure = { failedAction: string; failedResource: string; errorMessage: string };

export function failureReport(ruleName: string, message: Message, failures: Failure[]): Value {
  return {
    ruleName,
    topic: message.topic,
    cloudwatchTraceId: message.traceId,
    clientId: message.clientId ?? 'N/A',
    base64OriginalPayload: message.raw.toString('base64'),
    failures,
  };
}
