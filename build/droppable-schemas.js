/**
 * What lets esbuild drop the schemas that a function never uses. A bundler can't tell that building one has no effect: for it
 * `z.object(…)` is a call like any other, and so is an array literal with computed keys.
 */
import { readFile } from 'node:fs/promises';
import { join, sep } from 'node:path';

/**
 * The AWS SDK's schema files hold every shape of a service as array literals, with computed keys (`[_e]: _c`). The keys are
 * constants of the same file, so they can be written out.
 * @param {string} source
 */
export function withKeysWrittenOut(source) {
  const constants = new Map(
    [...source.matchAll(/^const (_\w+) = ("[^"\\]*");$/gm)].map(([, name, text]) => [name, text]),
  );
  return source.replace(/\[(_\w+)\]:/g, (key, name) => `${constants.get(name) ?? key}:`);
}

const schemaBegins = /^((?:export )?const \w+(?:: [^=]+)? = )(z(?:\..*)?)$/;
/** A line that goes on with the statement of the line before, as Biome writes it: indented, or closing what was opened. */
const goesOn = /^[ \t})\]]/;

/**
 * Our own: each constant of a module that is a schema becomes a call that esbuild may drop.
 * @param {string} source as Biome formats it
 */
export function withPureSchemas(source) {
  const lines = source.split('\n');
  for (let first = 0; first < lines.length; first++) {
    const begins = schemaBegins.exec(lines[first]);
    if (!begins) continue;
    let last = first;
    for (let next = first + 1; goesOn.test(lines[next] ?? '') || lines[next] === ''; next++)
      if (lines[next] !== '') last = next;
    if (!lines[last].endsWith(';')) continue;
    lines[first] = `${begins[1]}/* @__PURE__ */ (() => ${begins[2]}`;
    lines[last] = `${lines[last].slice(0, -1)})();`;
  }
  return lines.join('\n');
}

/** @param {string} root the checkout */
export function droppableSchemas(root) {
  return {
    name: 'droppable-schemas',
    setup(build) {
      build.onLoad(
        { filter: /[\\/]@aws-sdk[\\/]client-[^\\/]+[\\/].*[\\/]schemas_\d+\.js$/ },
        async ({ path }) => ({ contents: withKeysWrittenOut(await readFile(path, 'utf8')) }),
      );
      build.onLoad({ filter: /[\\/](?:protocol|lambdas)[\\/].*\.ts$/ }, async ({ path }) => {
        if (![`protocol${sep}`, `lambdas${sep}`].some((folder) => path.startsWith(join(root, folder))))
          return undefined;
        return { contents: withPureSchemas(await readFile(path, 'utf8')), loader: 'ts' };
      });
    },
  };
}
