/** From a device's publish to the first line of the Lambda's handler. */

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { CreateTopicRuleCommand } from '@aws-sdk/client-iot';
import type { ReadyLine } from '../../local-fleet/ready-line.ts';
import { type Quantiles, quantiles } from '../sign/quantiles.ts';
import type { Device, Registrar } from './cloud.ts';
import { connectDevice } from './mqtt-part.ts';

/** Both ends' clocks are the machine's. */
const handler = `const { appendFileSync } = require('node:fs');
exports.handler = async (event) => {
  const now = performance.timeOrigin + performance.now();
  appendFileSync(event.file, (now - event.sentAt) + '\\n');
};
`;

/** @returns arguments of a cloud that has the function `bench`, and nothing of Beam's: no rules, no other functions */
export function writeFunction(folder: string): string[] {
  mkdirSync(join(folder, 'lambdas/bench'), { recursive: true });
  writeFileSync(join(folder, 'lambdas/bench/index.cjs'), handler);
  const functions = [
    {
      name: 'bench',
      entry: 'bench/index.ts',
      handler: 'handler',
      timeoutSeconds: 5,
      memoryMb: 128,
      environment: {},
      iam: [],
    },
  ];
  writeFileSync(join(folder, 'manifest.json'), JSON.stringify({ functions }));
  for (const kind of ['rules', 'policies', 'templates', 'role-aliases'])
    mkdirSync(join(folder, 'cloud-rules', kind), { recursive: true });
  const [lambdas, manifest, rules] = ['lambdas', 'manifest.json', 'cloud-rules'].map((name) =>
    join(folder, name),
  );
  return ['--lambdas', String(lambdas), '--manifest', String(manifest), '--rules', String(rules)];
}

export async function measureRule(
  folder: string,
  ready: ReadyLine,
  registrar: Registrar,
  device: Device,
  messages: number,
): Promise<Quantiles> {
  await registrar.iot.send(
    new CreateTopicRuleCommand({
      ruleName: 'bench',
      topicRulePayload: {
        sql: "SELECT * FROM 'bench/rule' WHERE sentAt > 0",
        awsIotSqlVersion: '2016-03-23',
        actions: [{ lambda: { functionArn: 'arn:aws:lambda:local:000000000000:function:beam-bench' } }],
      },
    }),
  );
  const file = join(folder, 'rule-times');
  writeFileSync(file, '');
  const client = await connectDevice(ready, device);
  for (let n = 0; n < messages; n++) {
    const sentAt = performance.timeOrigin + performance.now();
    await client.publishAsync('bench/rule', JSON.stringify({ sentAt, file }), { qos: 1 });
    await delay(10);
  }
  await delay(500);
  await client.endAsync(true);
  const times = readFileSync(file, 'utf8').trim().split('\n').map(Number);
  if (times.length < messages) throw new Error(`${times.length} of ${messages} messages came to the handler`);
  // The first one waits for the function's process.
  return quantiles(times.slice(10));
}
