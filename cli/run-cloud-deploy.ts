/** The work of `beam cloud deploy`. */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import manifestBuiltIn from '../lambdas/manifest.json' with { type: 'json' };
import { readCloudRules } from '../local-cloud/bundled-rules.ts';
import { ownBundles } from '../local-fleet/bundles.ts';
import { systemClock } from '../operator/actions/operator.ts';
import { deploy } from '../operator/deploy/deploy.ts';
import type { Change, DeployedFunction } from '../operator/deploy/deployment.ts';
import { connectForDeploy } from '../operator/deploy/place.ts';
import { lambdaRuntime, parseLambdaManifest } from '../protocol/manifest.ts';
import { findCloud } from './cloud-place.ts';
import { badInput, say, tell } from './command-line.ts';
import { CliError, describeError, exitCodeOf } from './errors.ts';
import { onInterrupt } from './interrupt.ts';
import type { DeployCommandOptions } from './options.ts';

export async function deployCloud(options: DeployCommandOptions): Promise<number> {
  const place = findCloud(options, process.env);
  const deployment = {
    functions: bundledFunctions(),
    runtime: options.runtime ?? lambdaRuntime,
    files: (arns: Parameters<typeof readCloudRules>[1]) => readCloudRules(options.rules, arns),
  };
  const clients = connectForDeploy(place);
  const { signal, release } = onInterrupt(() => {});
  try {
    const changes = await deploy(clients, deployment, {
      dryRun: options.dryRun ?? false,
      roleArn: options.role,
      onChange: (change) => {
        signal.throwIfAborted();
        if (!options.json && change.change !== 'unchanged') say(line(change));
      },
      sleep: (ms) => systemClock.sleep(ms, signal),
    });
    tell(options, { cloud: place.name, dryRun: options.dryRun ?? false, changes }, () =>
      summary(changes, place.name, options.dryRun ?? false),
    );
    return 0;
  } catch (error) {
    throw new CliError(describeError(error, place.name), exitCodeOf(error), { cause: error });
  } finally {
    release();
    clients.destroy();
  }
}

/** The functions of the bundle that runs now. */
function bundledFunctions(): DeployedFunction[] {
  return parseLambdaManifest(manifestBuiltIn).functions.map((definition) => {
    const file = join(ownBundles(), 'lambdas', `${definition.name}.zip`);
    if (!existsSync(file))
      return badInput(`There is no ${file}: run \`npm run bundle\`, or install Beam anew`);
    return { ...definition, zip: readFileSync(file) };
  });
}

function line({ kind, name, change, what }: Change): string {
  return `${change} ${kind} ${name}${what.length > 0 ? `: ${what.join(', ')}` : ''}`;
}

function summary(changes: readonly Change[], place: string, dryRun: boolean): string {
  const count = (change: Change['change']) => changes.filter((each) => each.change === change).length;
  const [made, changed, same] = [count('created'), count('updated'), count('unchanged')];
  const would = dryRun ? 'would be ' : '';
  return `${place}: ${made} ${would}created, ${changed} ${would}updated, ${same} unchanged`;
}
