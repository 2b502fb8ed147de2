/** The signer's metrics, refusals and control socket, from the code that serves them. */

import type { SignerStatus } from '../../../protocol/signer-control.ts';
import { controlRequest, journalEntry, signerStatus } from '../../../protocol/signer-control.ts';
import { signStages } from '../../../signer/core/meter.ts';
import { exposition } from '../../../signer/metrics/exposition.ts';
import { SignMeter } from '../../../signer/metrics/sign-meter.ts';
import { readSource, schemaTable } from './schema-table.ts';
import { propertyComments, unionMembers } from './source-comments.ts';
import { code, page, table } from './tables.ts';

/** A signer of which every metric has a value. */
const sample: SignerStatus = {
  type: 'status',
  state: 'active',
  address: '',
  chainId: '',
  guard: 'record',
  epoch: 1,
  height: 1,
  record: {
    epoch: 1,
    holder: '',
    grantEpoch: 1,
    grantTo: '',
    position: { height: 1, round: 0, step: 3 },
    ageMs: 1,
  },
  beat: { epoch: 1, stillMs: 1, readsStill: 0, yielded: false, lost: false },
  released: { height: 1, round: 0, step: 3 },
  nodeConnected: true,
  sinceRequestMs: 1,
  signed: 1,
  refused: 1,
  pid: 1,
  version: '',
};

interface Metric {
  name: string;
  type: string;
  help: string;
  labels: string[];
}

export function metrics(): Metric[] {
  const meter = new SignMeter();
  meter.refused('standby');
  const lines = exposition(sample, meter).split('\n');
  return lines.flatMap((line) => {
    const [, name, help] = /^# HELP (\S+) (.*)$/.exec(line) ?? [];
    if (name === undefined || help === undefined) return [];
    const type = lines.find((each) => each.startsWith(`# TYPE ${name} `))?.split(' ')[3] ?? '';
    const first = lines.find((each) => new RegExp(`^${name}(_bucket)?[{ ]`).test(each)) ?? '';
    const labels = [...first.matchAll(/(\w+)="/g)]
      .map((match) => match[1] ?? '')
      .filter((label) => label !== 'le');
    return [{ name, help, type, labels }];
  });
}

export function signerPage(root: string): string {
  const control = 'protocol/signer-control.ts';
  const refusals = unionMembers(readSource(root, 'signer/refusal.ts'), 'RefusalCode');
  const stages = propertyComments(readSource(root, 'signer/core/meter.ts'), 'signStages');
  const groups = [...new Set(refusals.map(({ group }) => group))];
  return page(
    'The signer',
    '## Metrics',
    'Served at `[signer] metrics`, as `GET /metrics`. [What to watch](../metrics.md).',
    table(
      ['metric', 'type', 'labels', 'what it tells'],
      metrics().map(({ name, type, labels, help }) => [code(name), type, labels.map(code).join(', '), help]),
    ),
    `Stages: ${signStages.map((stage) => `${code(stage)}${stages.get(stage) ?? ''}`).join(', ')}; [what each is](../metrics.md).`,
    '## Refusals',
    'The codes of a refusal, in the log and as `code` of `beam_signer_refused_total`; that of a signer which refuses everything in `beam signer status` and in health messages, too. ' +
      'What to do at each: [alerts](../alerts.md#why-a-signer-refuses).',
    table(
      ['what it is about', 'codes'],
      groups.map((group) => [
        group.replace(/\.$/, ''),
        refusals
          .filter((refusal) => refusal.group === group)
          .map(({ name }) => code(name))
          .join(', '),
      ]),
    ),
    '## Control socket',
    'A unix socket of mode 0600 at `[signer] control`, one JSON object a line each way. It can make a signer look at the record or stand by; it cannot make it sign.',
    table(
      ['request', 'what it asks'],
      controlRequest.options.map((option) => {
        const type = option.shape.type.value;
        return [code(type), requestComment(readSource(root, control), type)];
      }),
    ),
    'A status:',
    schemaTable({
      root,
      schema: signerStatus,
      named: new Map(),
      declared: [
        { file: control, names: ['signerStatus'] },
        { file: 'protocol/topics.ts', names: ['signerSummary'] },
      ],
    }),
    '## Journal',
    '`journal.jsonl` in the state folder: one line a released signature; the last one may still be in `state.json` alone (`lastEntry`), where each is before its signature leaves.',
    schemaTable({
      root,
      schema: journalEntry,
      named: new Map(),
      declared: [{ file: control, names: ['journalEntry'] }],
    }),
  );
}

function requestComment(source: string, type: string): string {
  const text = new RegExp(`/\\*\\* (.*) \\*/\\n\\s*z\\.object\\(\\{ type: z\\.literal\\('${type}'\\)`).exec(
    source,
  )?.[1];
  if (text === undefined)
    throw new Error(
      `control request ${type} has no doc comment in protocol/signer-control.ts: say what it asks`,
    );
  return text;
}
