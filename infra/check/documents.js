/** HCL in the documents, as Terraform parses and formats it. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { infra } from './terraform.js';

const docs = resolve(infra, '../docs');

/** @returns {boolean} whether there is some, and all of it is well-formed and formatted */
export function checkDocuments() {
  const faults = [];
  let blocks = 0;
  for (const name of readdirSync(docs).filter((each) => each.endsWith('.md'))) {
    for (const [, text] of readFileSync(join(docs, name), 'utf8').matchAll(/^```hcl\n(.*?)^```$/gms)) {
      blocks++;
      const { status, stdout, stderr } = spawnSync('terraform', ['fmt', '-check', '-diff', '-'], {
        input: text,
        encoding: 'utf8',
      });
      if (status !== 0) faults.push(`docs/${name}: ${stderr}${stdout}`);
    }
  }
  for (const fault of faults) console.error(fault);
  return blocks > 0 && faults.length === 0;
}
