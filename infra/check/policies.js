/** IAM policies as `parliament` judges them: unknown actions, conditions that a service has not, resources that no action takes. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { infra } from './terraform.js';

const requirements = join(infra, 'check/requirements.txt');

/** A virtual environment with what requirements.txt pins. @returns {string} its folder */
function environment() {
  const pinned = createHash('sha256').update(readFileSync(requirements)).digest('hex').slice(0, 12);
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
  const folder = join(cache, `beam-parliament-${pinned}`);
  if (existsSync(folder)) return folder;
  mkdirSync(cache, { recursive: true });
  // Moved whole, so that an install that broke off is begun anew: pip's own programs then have a wrong first line, Python has not.
  const making = `${folder}.${process.pid}.tmp`;
  for (const [command, ...args] of [
    ['python3', '-m', 'venv', making],
    [
      join(making, 'bin/python'),
      '-m',
      'pip',
      'install',
      '--quiet',
      '--disable-pip-version-check',
      '-r',
      requirements,
    ],
  ]) {
    const { status, error } = spawnSync(command ?? '', args, { stdio: 'inherit' });
    if (status !== 0)
      throw new Error(`${command} ${args.join(' ')} failed (${error?.message ?? `exit ${status}`})`);
  }
  renameSync(making, folder);
  return folder;
}

/** @returns {string | undefined} why policies can't be judged here */
export function missingPython() {
  const { status } = spawnSync('python3', ['-c', 'import ensurepip, venv'], { stdio: 'ignore' });
  return status === 0
    ? undefined
    : 'python3 with venv is not installed (Debian: apt-get install python3-venv)';
}

/** Identity and resource policies of a plan. Trust policies have no resource, which parliament does not know. */
export function policiesOf(resources) {
  return resources
    .filter(({ type, after }) => type !== 'aws_iot_policy' && typeof after.policy === 'string')
    .map(({ root, type, address, after }) => ({
      name: `${root} ${address}`,
      document: after.policy,
      // In a key's own policy * is the key.
      starIsItself: type === 'aws_kms_key',
    }));
}

/**
 * @param {{ name: string, document: string, starIsItself?: boolean }[]} policies
 * @returns {string[]} what is wrong, one finding a line
 */
export function judge(policies) {
  const folder = mkdtempSync(join(tmpdir(), 'beam-policies-'));
  try {
    policies.forEach(({ document }, index) => {
      writeFileSync(join(folder, `${index}.json`), document);
    });
    const { stdout, stderr, status } = spawnSync(
      join(environment(), 'bin/python'),
      ['-m', 'parliament.cli', '--directory', folder, '--json'],
      { encoding: 'utf8' },
    );
    if (status !== 0 && stdout.trim() === '') throw new Error(`parliament failed:\n${stderr}`);
    return stdout
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line))
      .map((finding) => ({
        ...finding,
        policy: policies[Number(/(\d+)\.json$/.exec(finding.location.filepath ?? '')?.[1])],
      }))
      .filter(({ issue, policy }) => !(issue === 'RESOURCE_STAR' && policy?.starIsItself))
      .map(
        ({ severity, title, description, detail, policy }) =>
          `${policy?.name}: ${severity} ${title}: ${description} ${JSON.stringify(detail)}`,
      );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
