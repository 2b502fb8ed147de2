/** A whole local cloud for tests, in this process but for its Lambda host: without rules and functions of its own. */

import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import pino from 'pino';
import { type Cloud, startCloud } from './cloud.ts';

/** @returns a temporary folder with what a cloud starts from; whoever asked removes it */
export async function makeCloudFolder(): Promise<string> {
  // Node 20 is supported here; the SDK's warning would be in each test's output.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true';
  const dir = mkdtempSync(join(tmpdir(), 'beam-cloud-'));
  mkdirSync(join(dir, 'rules'));
  mkdirSync(join(dir, 'lambdas'));
  writeFileSync(join(dir, 'manifest.json'), '{"functions":[]}');
  writeFileSync(join(dir, 'package.json'), '{"type":"module"}');
  await build({
    entryPoints: [join(import.meta.dirname, 'lambda/host-main.ts')],
    bundle: true,
    platform: 'node',
    format: 'esm',
    outfile: join(dir, 'lambda-host.js'),
  });
  return dir;
}

/** Its data is there again at the next start. */
export function startEmptyCloud(dir: string, dataDir = join(dir, 'data')): Promise<Cloud> {
  return startCloud({
    dataDir,
    mqttPort: 0,
    httpsPort: 0,
    lambdasDir: join(dir, 'lambdas'),
    manifestFile: join(dir, 'manifest.json'),
    rulesDir: join(dir, 'rules'),
    hostPath: join(dir, 'lambda-host.js'),
    log: pino({ level: 'silent' }),
  });
}
