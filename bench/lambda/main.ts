/**
 * `npm run bench:lambda`: how large each Lambda function is and how long its bundle takes to load, each time in a process of
 * its own, as in a cold start. See docs/testing.md. The last line is one JSON object.
 */

import { execFile } from 'node:child_process';
import { statSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import manifest from '../../lambdas/manifest.json' with { type: 'json' };
import { ownBundles } from '../../local-fleet/bundles.ts';
import { parseLambdaManifest } from '../../protocol/manifest.ts';

/** Of the design. The median counts; what else the machine does adds to it, so it is shown with its spread. */
const bars = { zipBytesMax: 450 * 1024, loadMsMax: 60 };

const usage = `usage: npm run bench:lambda -- [--runs N] [--json]

Exits 1 where a zip is above ${bars.zipBytesMax / 1024} KB, or a function's median load above ${bars.loadMsMax} ms. Measure on a quiet machine.`;

/** Requires the bundle, as Lambda's runtime does before the first event, and says how long that took. */
const loader = `const from = process.hrtime.bigint();
require(process.argv[1]);
process.stdout.write(String(Number(process.hrtime.bigint() - from) / 1e6));`;

interface FunctionFigures {
  name: string;
  zipBytes: number;
  bundleBytes: number;
  loadMs: { min: number; p25: number; median: number; p75: number; max: number };
}

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '15' },
    json: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
  },
});
const runs = Number(values.runs);
if (values.help || !Number.isInteger(runs) || runs < 1 || runs > 1000) {
  process.stdout.write(`${usage}\n`);
  process.exit(values.help ? 0 : 2);
}

const run = promisify(execFile);
const lambdas = join(ownBundles(), 'lambdas');
const { functions } = parseLambdaManifest(manifest);
const loads = new Map<string, number[]>(functions.map(({ name }) => [name, []]));

// In turns, so that a busy moment of the machine is shared by all.
for (let turn = 0; turn < runs; turn++) {
  for (const { name, environment } of functions) {
    const { stdout } = await run(
      process.execPath,
      ['--no-warnings', '-e', loader, join(lambdas, name, 'index.cjs')],
      {
        env: {
          ...environment,
          AWS_REGION: 'eu-central-1',
          AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
        },
      },
    );
    loads.get(name)?.push(Number(stdout));
  }
}

const figures = functions.map(({ name }): FunctionFigures => {
  const sorted = (loads.get(name) ?? []).sort((a, b) => a - b);
  const at = (share: number) => Math.round(10 * (sorted[Math.floor(share * (sorted.length - 1))] ?? 0)) / 10;
  return {
    name,
    zipBytes: statSync(join(lambdas, `${name}.zip`)).size,
    bundleBytes: statSync(join(lambdas, name, 'index.cjs')).size,
    loadMs: { min: at(0), p25: at(0.25), median: at(0.5), p75: at(0.75), max: at(1) },
  };
});
const failures = figures.flatMap(({ name, zipBytes, loadMs }) => [
  ...(zipBytes > bars.zipBytesMax ? [`${name}: its zip has ${zipBytes} bytes`] : []),
  ...(loadMs.median > bars.loadMsMax ? [`${name}: it loads in ${loadMs.median} ms`] : []),
]);

if (!values.json) {
  for (const { name, zipBytes, loadMs } of figures) {
    const { min, p25, median, p75, max } = loadMs;
    process.stderr.write(
      `${name.padEnd(12)} ${(zipBytes / 1024).toFixed(0).padStart(4)} KB   loads in ${median} ms (half of them in ${p25} to ${p75}, all in ${min} to ${max})\n`,
    );
  }
}
process.stdout.write(
  `${JSON.stringify({ node: process.version, runs, bars, functions: figures, loadAverage: loadavg()[0], ok: failures.length === 0, failures })}\n`,
);
process.exitCode = failures.length === 0 ? 0 : 1;
