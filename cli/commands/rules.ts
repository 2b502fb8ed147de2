/** `beam rules …`: IoT rules before they are deployed. */

import type { Command } from 'commander';
import { examples, run } from '../command-line.ts';
import type { RuleTestOptions } from '../options.ts';

const repeated = (text: string, before: string[]) => [...before, text];

export function addRules(program: Command): void {
  const rules = program
    .command('rules')
    .summary('IoT rules, before they are deployed')
    .description('What IoT rules would do. Nothing is called or changed, and no cloud is needed.');
  rules
    .command('test')
    .summary('what a rule would do with a message, and why')
    .description(
      'Runs a rule on a message as AWS IoT would: whether FROM matches, the value of each part of WHERE, what SELECT gives, ' +
        'and each action with its arguments filled in. Exit code 0: it fires and every action can be called; 1: it does ' +
        'not, or one cannot; 2: the rule itself is wrong.',
    )
    .requiredOption(
      '--rule <file>',
      'JSON: a topicRulePayload, or {ruleName, topicRulePayload} as in cloud-rules/',
    )
    .requiredOption('--topic <topic>', 'what the message is published to')
    .requiredOption('--payload <payload>', 'the message: text, or @FILE for its bytes')
    .option('--client-id <id>', 'the publisher, for clientid()')
    .option('--principal <id>', "the publisher's certificate id, for principal()")
    .option(
      '--shadow <thing[/name]=file>',
      'a shadow document (as its get answers) for get_thing_shadow(); can be repeated',
      repeated,
      [],
    )
    .option('--json', 'as JSON')
    .addHelpText(
      'after',
      examples(
        `beam rules test --rule cloud-rules/rules/beam_health.json --topic beam/demo/demo_a/health --payload '{"v":1}'`,
        'beam rules test --rule my-rule.json --topic t/1 --payload @message.json --json',
      ),
    )
    .action(run(async (options: RuleTestOptions) => (await import('../run-rules.ts')).testRule(options)));
}
