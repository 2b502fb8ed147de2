import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { transformSync } from 'esbuild';
import { root } from './bundle.js';
import { withKeysWrittenOut, withPureSchemas } from './droppable-schemas.js';

test('each schema of a module becomes a call that may be dropped, and nothing else changes', () => {
  const source = `import * as z from 'zod';
const side = z
  .object({ a: z.string() })

  .partial();
export const one: z.ZodType<string> = z.string();
export const two = z.object({
  side,
});
export const names = ['z.a'];
export function three() {
  const own = z.string();
  return own;
}
`;
  const pure = (text: string) => `/* @__PURE__ */ (() => ${text})();`;
  expect(withPureSchemas(source)).toBe(`import * as z from 'zod';
const side = ${pure('z\n  .object({ a: z.string() })\n\n  .partial()')}
export const one: z.ZodType<string> = ${pure('z.string()')}
export const two = ${pure('z.object({\n  side,\n})')}
export const names = ['z.a'];
export function three() {
  const own = z.string();
  return own;
}
`);
});

test('of the contract every schema is one, and each module is still a module', () => {
  const folder = join(root, 'protocol');
  for (const file of readdirSync(folder).filter((name) => /^(?!.*\.test\.ts$).*\.ts$/.test(name))) {
    const source = readFileSync(join(folder, file), 'utf8');
    const pure = withPureSchemas(source);
    const schemas = source.match(/^(?:export )?const [^=\n]+ = z\b/gm)?.length ?? 0;
    expect([file, pure.match(/@__PURE__/g)?.length ?? 0]).toEqual([file, schemas]);
    expect(() => transformSync(pure, { loader: 'ts' })).not.toThrow();
  }
});

test("of the SDK's shapes the keys are written out", () => {
  expect(withKeysWrittenOut('const _e = "error";\nconst a = [{ [_e]: _c, [other]: 1 }];')).toBe(
    'const _e = "error";\nconst a = [{ "error": _c, [other]: 1 }];',
  );
});
