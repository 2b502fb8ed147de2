/**
 * The Lambda functions' bundles: one file a function that stands alone, small and quick to load, as a cold start is part of a
 * failover's first seconds. `bench/lambda` measures both.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { droppableSchemas } from './droppable-schemas.js';

/** The SDK loads this where an operation sends or gets a stream of events. None of ours does, and it brings most of the SDK's core along. */
const noEventStreams = {
  name: 'no-event-streams',
  setup(build) {
    build.onResolve({ filter: /^@smithy\/core\/event-streams$/ }, () => ({
      path: 'event-streams',
      namespace: 'left-out',
    }));
    build.onLoad({ filter: /.*/, namespace: 'left-out' }, ({ path }) => ({
      contents: `throw new Error('no function of Beam streams events: ${path} is left out of its bundle');`,
    }));
  },
};

/** What the SDK would look for credentials in is not there in a function: see the file that takes its place. */
function functionCredentials(root) {
  return {
    name: 'function-credentials',
    setup(build) {
      build.onResolve({ filter: /^@aws-sdk\/credential-provider-node$/ }, () => ({
        path: join(root, 'lambdas/aws/function-credentials.ts'),
      }));
    },
  };
}

/** Every function's entry, from the one list that Terraform and the local cloud read too. */
export function lambdaNames(root) {
  const manifest = JSON.parse(readFileSync(join(root, 'lambdas/manifest.json'), 'utf8'));
  return manifest.functions.map(({ name, entry }) => ({ name, entry }));
}

/** esbuild's options for all of them; `<outdir>/lambdas/<name>/index.cjs`. */
export function lambdaBuild(root) {
  return {
    entryPoints: Object.fromEntries(
      lambdaNames(root).map(({ name, entry }) => [`lambdas/${name}/index`, `lambdas/${entry}`]),
    ),
    format: 'cjs',
    minify: true,
    sourcemap: false,
    outExtension: { '.js': '.cjs' },
    plugins: [functionCredentials(root), noEventStreams, droppableSchemas(root)],
  };
}
