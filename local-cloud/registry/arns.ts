/** Names of the local cloud's resources. It has one region and one account. */

export const region = 'local';
export const accountId = '000000000000';

export type ResourceKind =
  | 'thing'
  | 'thinggroup'
  | 'thingtype'
  | 'cert'
  | 'policy'
  | 'rule'
  | 'client'
  | 'topic'
  | 'topicfilter'
  | 'provisioningtemplate'
  | 'rolealias'
  | 'cacert';

export function arn(kind: ResourceKind, name: string): string {
  return `arn:aws:iot:${region}:${accountId}:${kind}/${name}`;
}

/** The name in an ARN of this kind, whatever its region and account. */
export function nameInArn(kind: ResourceKind, text: string): string | undefined {
  const match = /^arn:[^:]*:iot:[^:]*:[^:]*:([a-z]+)\/(.+)$/.exec(text);
  return match?.[1] === kind ? match[2] : undefined;
}
