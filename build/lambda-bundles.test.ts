import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { build } from 'esbuild';
import { bundleOptions, root } from './bundle.js';
import { lambdaBuild, lambdaNames } from './lambda-bundles.js';

/** Of the design, for the zip: it holds for the bundle as well. */
const bytesMax = 450 * 1024;

const folder = mkdtempSync(join(tmpdir(), 'beam-lambdas-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function buildInto(dir: string): Promise<Map<string, Buffer>> {
  await build({ ...bundleOptions(dir), ...lambdaBuild(root) });
  const bundles = lambdaNames(root).map(({ name }) => join(dir, `lambdas/${name}/index.cjs`));
  return new Map(bundles.map((file) => [file.slice(dir.length), readFileSync(file)]));
}

test('the same sources make the same bundles, each small, none with what no function uses', async () => {
  const [first, second] = await Promise.all([buildInto(join(folder, 'a')), buildInto(join(folder, 'b'))]);
  for (const [file, bytes] of first) {
    const text = bytes.toString();
    expect({
      file,
      same: second.get(file)?.equals(bytes),
      small: bytes.length <= bytesMax,
      asksElsewhere: text.includes('AssumeRole'),
      unusedShape: text.includes('CreateTopicRuleRequest'),
      // `plainEvent`, which only pilots and their readers know; and a part of the SDK that no operation of ours needs.
      unusedSchema: text.includes('detail:'),
      eventStreams: text.includes(':event-type'),
      sdkForTables: text.includes('ExpectedAttributeMap'),
    }).toEqual({
      file,
      same: true,
      small: true,
      asksElsewhere: false,
      unusedShape: false,
      unusedSchema: false,
      eventStreams: false,
      sdkForTables: false,
    });
  }
});
