/**
 * The Lambda functions' bundles: one file a function that stands alone, small and quick to load, as a cold start is part of a
 * failover's first seconds. `bench/lambda` measures both.
 */
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * The AWS SDK's schema files hold every shape of a service as array literals, with computed keys (`[_e]: _c`) for which no
 * bundler can tell that dropping them is safe. The keys are constants of the same file: written out, all but
 * the shapes of the commands in use are dropped.
 */
const droppableSchemas = {
  name: 'droppable-schemas',
  setup(build) {
    build.onLoad(
      { filter: /[\\/]@aws-sdk[\\/]client-[^\\/]+[\\/].*[\\/]schemas_\d+\.js$/ },
      async ({ path }) => {
        const source = await readFile(path, 'utf8');
        const constants = new Map(
          [...source.matchAll(/^const (_\w+) = ("[^"\\]*");$/gm)].map(([, name, text]) => [name, text]),
        );
        return { contents: source.replace(/\[(_\w+)\]:/g, (key, name) => `${constants.get(name) ?? key}:`) };
      },
    );
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
    plugins: [functionCredentials(root), droppableSchemas],
  };
}
