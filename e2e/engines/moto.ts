/** Beam's control plane on moto: deployed by the code of `beam cloud deploy`, servers registered, an operator's acts. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createCsr } from '../../certs-scripts/csr.ts';
import { makeDeviceKey } from '../../certs-scripts/device-key.ts';
import { registerServer } from '../../certs-scripts/register.ts';
import { certificatesOf, leftBehind, revoke, rotate } from '../../certs-scripts/rotate.ts';
import manifest from '../../lambdas/manifest.json' with { type: 'json' };
import { readCloudRules } from '../../local-cloud/bundled-rules.ts';
import { freePorts } from '../../local-fleet/processes/ports.ts';
import { configureFleet } from '../../operator/actions/configure-fleet.ts';
import { editShadow, getShadow } from '../../operator/actions/edit-shadow.ts';
import { ActionError } from '../../operator/actions/errors.ts';
import { listFleet } from '../../operator/actions/list-fleet.ts';
import { connectOperator, disconnect, type Operator, systemClock } from '../../operator/actions/operator.ts';
import { removeServer } from '../../operator/actions/remove-server.ts';
import { leftovers } from '../../operator/actions/traces.ts';
import { deploy } from '../../operator/deploy/deploy.ts';
import type { Change, Deployment } from '../../operator/deploy/deployment.ts';
import { connectForDeploy } from '../../operator/deploy/place.ts';
import { lambdaRuntime, parseLambdaManifest } from '../../protocol/manifest.ts';
import { peerCredentials, startPeer } from './peers.ts';
import { compareRecord } from './record.ts';
import type { EngineRun } from './run.ts';

const fleet = 'engine';
const servers = [
  { fleet, node: 'a', kind: 'validator', zone: 'z1' },
  { fleet, node: 'b', kind: 'validator', zone: 'z2' },
  { fleet, node: 's1', kind: 'sentry', zone: 'z1' },
] as const;
const recordKey = `engine-1/${'AB'.repeat(20)}`;

export async function testMoto({ folder, bin, bundles, tls, signal, step }: EngineRun): Promise<void> {
  const [port = 0] = await freePorts(1);
  const place = {
    region: 'us-east-1',
    endpoint: `https://localhost:${port}`,
    ca: tls.ca,
    credentials: peerCredentials,
  };
  const engine = await startPeer(bin, 'moto', { folder, port, tls });
  const clients = connectForDeploy(place);
  const operator = connectOperator(place);
  const deployment: Deployment = {
    functions: parseLambdaManifest(manifest).functions.map((definition) => ({
      ...definition,
      zip: readFileSync(join(bundles, 'lambdas', `${definition.name}.zip`)),
    })),
    runtime: lambdaRuntime,
    // skipped.ts: provisioning templates.
    files: (arns) => ({ ...readCloudRules(undefined, arns), templates: [] }),
  };
  const deployNow = (): Promise<Change[]> =>
    deploy(clients, deployment, {
      dryRun: false,
      onChange: () => signal.throwIfAborted(),
      sleep: (ms) => systemClock.sleep(ms, signal),
    });
  try {
    await step('deployed, provisioning templates aside', async () => {
      const changes = await deployNow();
      if (changes.some(({ change }) => change !== 'created')) throw new Error('things were there before');
      return `${changes.length} created`;
    });
    await step('deployed again: nothing changes, dead-letter queues aside', async () => {
      const changes = await deployNow();
      const other = changes.filter(
        ({ change, kind, what }) =>
          change !== 'unchanged' && !(kind === 'function' && what.join() === 'DeadLetterConfig'),
      );
      if (other.length > 0)
        throw new Error(other.map(({ kind, name, what }) => `${kind} ${name}: ${what}`).join('; '));
      return `${changes.length} looked at`;
    });
    await step('servers registered, a certificate rotated and the old one revoked', () =>
      testRegistry(operator),
    );
    await step("an operator's acts: configure, show, edit a shadow", () => testOperator(operator));
    await step("the sign record's conditions mean what they mean to the model", async () => {
      const { updates, taken } = await compareRecord(operator.dynamodb);
      return `${updates} updates, ${taken} of them taken`;
    });
    await step('a server removed for good', () => testRemoval(operator));
  } finally {
    disconnect(operator);
    clients.destroy();
    await engine.stop();
  }
}

async function testRegistry({ iot }: Operator): Promise<string> {
  for (const server of servers)
    await registerServer(iot, server, await createCsr(makeDeviceKey(), server.node));
  const [first] = servers;
  const { thing, certificateArn } = await rotate(iot, first, await createCsr(makeDeviceKey(), first.node));
  const { old } = await leftBehind(iot, thing, certificateArn);
  for (const arn of old) await revoke(iot, arn);
  const kept = await certificatesOf(iot, thing);
  if (old.length !== 1 || kept.join() !== certificateArn)
    throw new Error(`${old.length} certificates were left behind; ${thing} has ${kept.join(', ')} now`);
  return `${servers.length} servers`;
}

async function testOperator(operator: Operator): Promise<string> {
  await configureFleet(operator, { fleet, recordKey, automaticFailover: true, cooldownSeconds: 7 });
  const { nodes, config } = await listFleet(operator, fleet);
  const things = nodes.map(({ thing }) => thing).join();
  if (things !== servers.map(({ node }) => `${fleet}_${node}`).join() || config?.cooldownSeconds !== 7)
    throw new Error(`the fleet is shown as ${things}, configured as ${JSON.stringify(config)}`);
  const edit = { thing: `${fleet}_b`, shadow: 'role', assignments: ['role=active'] };
  await editShadow(operator, edit);
  const { document } = await getShadow(operator, edit.thing, edit.shadow);
  if (JSON.stringify(document?.desired) !== '{"role":"active"}')
    throw new Error(`the shadow desires ${JSON.stringify(document?.desired)}`);
  const stale = await editShadow(operator, { ...edit, version: 41 }).catch((error: unknown) => error);
  if (!(stale instanceof ActionError)) throw new Error('an edit of another version was taken');
  return `${nodes.length} servers shown, an edit taken, an edit of another version refused`;
}

async function testRemoval(operator: Operator): Promise<string> {
  const { thing, left, found } = await removeServer(operator, {
    fleet,
    node: 'b',
    revoke: (arn) => revoke(operator.iot, arn),
  });
  if (left) throw new Error(`of ${thing} there is still ${JSON.stringify(left)}`);
  const [{ servers: others } = { servers: [] }] = (await leftovers(operator, fleet)).fleets;
  const names = others.map((server) => server.thing).join(', ');
  if (names !== `${fleet}_a, ${fleet}_s1`) throw new Error(`the others are ${names}`);
  return `${found.certificates.length} certificate, shadows ${found.shadows.join(', ')}; the others stay`;
}
