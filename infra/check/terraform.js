/**
 * Terraform where no provider registry is reached: `../shared/terraform-check` stands in for the AWS provider with its schema alone.
 * It validates and tests; the plans of its mocked tests are what the other checks look at.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

export const infra = resolve(import.meta.dirname, '..');
/** BEAM_TERRAFORM_CHECK: where it is, when not beside the checkout. */
const checker =
  process.env.BEAM_TERRAFORM_CHECK ?? resolve(infra, '../../shared/terraform-check/terraform-check');

/** Every module and example, as a path below infra/. */
export const roots = ['modules', 'examples'].flatMap((kind) =>
  readdirSync(join(infra, kind)).map((name) => join(kind, name)),
);

/** @returns {string | undefined} why Terraform can't be checked here */
export function missing() {
  if (!existsSync(checker)) return `there is no ${checker}, which stands in for the AWS provider`;
  for (const [tool, ask] of [
    ['terraform', 'version'],
    ['go', 'version'],
  ]) {
    if (spawnSync(tool, [ask]).error) return `${tool} is not installed (Terraform 1.11 or newer, Go)`;
  }
  return undefined;
}

/**
 * Formatting, `terraform validate` and `terraform test` of every root.
 * @param {string} lambdas folder of the functions' zips, for the examples
 * @returns {boolean} whether all is well
 */
export function checkRoots(lambdas) {
  const { status } = spawnSync(
    checker,
    roots.map((root) => join(infra, root)),
    { stdio: 'inherit', env: { ...process.env, TF_VAR_lambdas: lambdas } },
  );
  return status === 0;
}

/** The command-line configuration that the checker wrote last: it names the provider that stands in. */
function checkersConfiguration() {
  const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'terraform-check');
  const [newest] = readdirSync(cache)
    .map((name) => join(cache, name, 'rc'))
    .filter((path) => existsSync(path))
    .sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs);
  if (!newest) throw new Error(`${checker} left no configuration in ${cache}`);
  return newest;
}

/**
 * Tests that Terraform alone can run: OpenTofu (1.12) overrides no single instance of a resource and no nested block.
 */
const testedByTerraformAlone = ['modules/commander', 'modules/validators', 'examples/complete'];

/** @returns {string | undefined} why OpenTofu is not asked */
export function missingTofu() {
  return spawnSync('tofu', ['version']).error ? 'tofu is not installed' : undefined;
}

/**
 * `tofu validate` of every root, `tofu test` where it can, with the stand-in that the checker made.
 * @param {string} lambdas folder of the functions' zips, for the examples
 */
export function checkRootsWithTofu(lambdas) {
  const env = {
    ...process.env,
    TF_VAR_lambdas: lambdas,
    TF_CLI_CONFIG_FILE: checkersConfiguration(),
    TF_IN_AUTOMATION: '1',
  };
  const commandsOf = (root) =>
    testedByTerraformAlone.includes(root)
      ? [
          ['get', '-test-directory=none'],
          ['validate', '-no-tests', '-test-directory=none'],
        ]
      : [['get'], ['validate'], ['test']];
  return roots.every((root) =>
    commandsOf(root).every((command) => {
      const { status, stdout, stderr } = spawnSync('tofu', [`-chdir=${join(infra, root)}`, ...command], {
        env,
        encoding: 'utf8',
      });
      if (status !== 0) console.error(`tofu ${command.join(' ')} of ${root} failed:\n${stdout}${stderr}`);
      return status === 0;
    }),
  );
}

/**
 * The resources that each mocked test `tests/rendered.tftest.hcl` plans.
 * @returns {{ root: string, type: string, address: string, after: Record<string, unknown> }[]}
 */
export function renderedResources() {
  const env = {
    ...process.env,
    TF_CLI_CONFIG_FILE: checkersConfiguration(),
    TF_IN_AUTOMATION: '1',
    CHECKPOINT_DISABLE: '1',
  };
  return roots.flatMap((root) => {
    const folder = join(infra, root);
    const test = 'tests/rendered.tftest.hcl';
    if (!existsSync(join(folder, test))) return [];
    const { stdout, status } = spawnSync(
      'terraform',
      [`-chdir=${folder}`, 'test', '-json', '-verbose', `-filter=${test}`],
      { env, encoding: 'utf8', maxBuffer: 1 << 28 },
    );
    if (status !== 0) throw new Error(`terraform test of ${root} failed:\n${stdout.slice(-4000)}`);
    return stdout
      .split('\n')
      .filter((line) => line.includes('"type":"test_plan"'))
      .map((line) => JSON.parse(line))
      .flatMap(({ test_plan }) => test_plan.resource_changes)
      .map(({ type, address, change }) => ({ root, type, address, after: change.after ?? {} }));
  });
}
