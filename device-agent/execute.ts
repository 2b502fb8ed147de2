/** Steps and executors come from one map of action → arguments: a missing executor does not compile. */
export async function execute<Step extends { action: string }>(
  executors: { [Name in Step['action']]: (step: Extract<Step, { action: Name }>) => Promise<void> },
  step: Step,
): Promise<void> {
  const executor = executors[step.action as Step['action']] as (step: Step) => Promise<void>;
  await executor(step);
}
