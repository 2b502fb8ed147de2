/** What is on disk of schedules: EventBridge's rules with what each sets off. Times are ms since the epoch. */

export interface TargetRecord {
  id: string;
  arn: string;
  /** JSON text that is sent in place of the event. */
  input?: string;
}

export interface EventRuleRecord {
  name: string;
  scheduleExpression: string;
  description?: string;
  enabled: boolean;
  targets: TargetRecord[];
  tags: Record<string, string>;
  /** A rate counts from here. */
  createdAtMs: number;
  /** It came with the program, and goes when the program no longer brings it. */
  bundled?: true;
}
