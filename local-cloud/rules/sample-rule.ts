/** For this folder's tests: rules as AWS's CreateTopicRule takes them. */
import type { ActionExecutors } from './engine.ts';

export const nothing: ActionExecutors = {
  lambda() {},
  republish() {},
  dynamoDBv2() {},
  sns() {},
  sqs() {},
};
export const arnOf = (name: string) => `arn:aws:lambda:local:000000000000:function:${name}`;
export const lambda = (name: string) => ({ lambda: { functionArn: arnOf(name) } });
export const republish = (topic: string, more: object = {}) => ({
  republish: { roleArn: 'arn:aws:iam::0:role/r', topic, ...more },
});
/** An expression within a text. */
export const hole = (expression: string) => `\${${expression}}`;
export const rule = (sql: string, actions: object[], more: object = {}) => ({
  sql,
  actions,
  awsIotSqlVersion: '2016-03-23',
  ...more,
});
