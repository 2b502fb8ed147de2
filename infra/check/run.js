/**
 * `npm run test:infra`: Terraform's modules and examples, validated and tested with a mocked provider; what they render compared with what
 * the local cloud reads; their IAM policies judged by parliament; what servers are made of, and how they are installed. What can't run here is skipped by name, with the reason.
 * The last line is `N passed, N failed, N skipped`; exit 0 only if nothing failed.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { currentBundles } from '../../build/bundle.js';
import { checkDocuments } from './documents.js';
import { checkAddressAndRegistration, checkMounts, missingAwsCli, missingMounts } from './install.js';
import { judge, missingPython, policiesOf } from './policies.js';
import { checkInstallUnit, checkShell, missingTool } from './server-files.js';
import {
  checkRoots,
  checkRootsWithTofu,
  infra,
  missing,
  missingTofu,
  renderedResources,
  roots,
} from './terraform.js';

const count = { passed: 0, failed: 0, skipped: 0 };

/** @param {string} name @param {() => boolean | Promise<boolean>} run */
async function check(name, run) {
  let passed = false;
  try {
    passed = await run();
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
  }
  count[passed ? 'passed' : 'failed']++;
  console.log(`${passed ? 'ok     ' : 'FAILED '} ${name}`);
}

function skip(name, reason) {
  count.skipped++;
  console.log(`skipped ${name}: ${reason}`);
}

/** The jest test that compares a plan with the local cloud, on these resources. */
function compares(resources) {
  const folder = mkdtempSync(join(tmpdir(), 'beam-rendered-'));
  try {
    const file = join(folder, 'resources.json');
    writeFileSync(file, JSON.stringify(resources));
    const { status } = spawnSync(
      process.execPath,
      [resolve(infra, '../build/test.js'), 'unit', '--testPathPatterns', 'infra/rendered'],
      { stdio: 'inherit', env: { ...process.env, BEAM_RENDERED: file } },
    );
    return status === 0;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Parliament must find what is put into it, too. */
const knownFaults = [
  { fault: 'dynamodb:GetItems', with: { Action: ['dynamodb:GetItems'] } },
  { fault: 'a bucket for a table', with: { Resource: 'arn:aws:s3:::bucket' } },
  { fault: 'dynamodb:Atributes', with: { Condition: { StringEquals: { 'dynamodb:Atributes': 'key' } } } },
];
const soundStatement = {
  Effect: 'Allow',
  Action: ['dynamodb:GetItem'],
  Resource: 'arn:aws:dynamodb:eu-central-1:123456789012:table/beam-sign',
};

const noTerraform = missing();
const noPython = missingPython();
const judged = 'IAM policies, judged by parliament';
const compared = 'what Terraform renders is what the local cloud reads';
if (noTerraform) {
  for (const root of roots) skip(`terraform fmt, validate, test: infra/${root}`, noTerraform);
  skip(compared, noTerraform);
  skip(judged, noTerraform);
} else {
  const lambdas = join(await currentBundles(), 'lambdas');
  await check(`terraform fmt, validate, test: ${roots.map((root) => `infra/${root}`).join(', ')}`, () =>
    checkRoots(lambdas),
  );
  await check('HCL in the documents, parsed and formatted by Terraform', checkDocuments);
  const noTofu = missingTofu();
  const tofu = 'OpenTofu: validate of every root, test where it can';
  if (noTofu) skip(tofu, noTofu);
  else await check(tofu, () => checkRootsWithTofu(lambdas));
  let resources = [];
  await check('mocked plans', () => {
    resources = renderedResources();
    return resources.length > 0;
  });
  await check(compared, () => compares(resources));
  if (noPython) skip(judged, noPython);
  else {
    await check(judged, () => {
      const policies = policiesOf(resources);
      const findings = judge(policies);
      for (const finding of findings) console.error(finding);
      console.log(`${policies.length} policies, ${findings.length} findings`);
      return policies.length > 0 && findings.length === 0;
    });
    await check('parliament finds a wrong action, resource and condition', () => {
      const findings = judge(
        knownFaults.map(({ fault, with: change }) => ({
          name: fault,
          document: JSON.stringify({ Version: '2012-10-17', Statement: [{ ...soundStatement, ...change }] }),
        })),
      );
      return knownFaults.every(({ fault }) => findings.some((finding) => finding.startsWith(`${fault}:`)));
    });
  }
}
for (const { name, missing: reason, run } of [
  {
    name: 'shell scripts of servers, judged by shellcheck',
    missing: missingTool('shellcheck'),
    run: checkShell,
  },
  {
    name: 'the unit that installs, verified by systemd',
    missing: missingTool('systemd-analyze'),
    run: checkInstallUnit,
  },
  {
    name: 'install.sh mounts a volume: a new one, and one from a snapshot',
    missing: missingMounts(),
    run: checkMounts,
  },
  {
    name: 'install.sh takes an Elastic IP, and registers (EC2, SSM and the metadata are a stand-in; `beam` notes its call)',
    missing: missingAwsCli(),
    run: checkAddressAndRegistration,
  },
]) {
  if (reason) skip(name, reason);
  else await check(name, run);
}
console.log(`${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`);
process.exit(count.failed === 0 ? 0 : 1);
