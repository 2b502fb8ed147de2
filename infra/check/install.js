/**
 * The paths of modules/server/files/install.sh that need a server: a volume is mounted, an Elastic IP taken, the server registered. Real
 * bash, mount, mkfs and AWS command line, in a mount namespace of their own with users of their own; what AWS would answer is a
 * stand-in's, and `beam` one that notes how it was called (the real one's registration: e2e/registration.test.ts).
 */
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { standInForEc2 } from './stand-in-ec2.js';
import { infra } from './terraform.js';

const script = join(infra, 'modules/server/files/install.sh');

/** @param {string[]} tools @returns {string | undefined} */
function without(tools) {
  const gone = tools.filter((tool) => spawnSync(tool, ['--version']).error);
  return gone.length > 0 ? `${gone.join(', ')} not installed` : undefined;
}

/** @returns {string | undefined} why volumes can't be mounted here */
export function missingMounts() {
  if (process.getuid?.() !== 0) return 'needs root';
  // A mount namespace can hide a file, and not make one.
  if (!existsSync('/etc/fstab')) return 'this machine has no /etc/fstab';
  const tools = without(['unshare', 'losetup', 'mkfs.ext4', 'blkid', 'mountpoint', 'mount']);
  if (tools) return tools;
  if (spawnSync('losetup', ['--find']).status !== 0) return 'this machine has no loop devices';
  return spawnSync('unshare', ['--mount', 'true']).status === 0 ? undefined : 'no mount namespaces here';
}

/** @returns {string | undefined} why AWS's command line can't be asked here */
export function missingAwsCli() {
  if (process.getuid?.() !== 0) return 'needs root';
  return without(['unshare', 'aws', 'curl']);
}

/** A server's folders, users and settings. */
function aServer(settings) {
  const folder = mkdtempSync(join(tmpdir(), 'beam-server-'));
  chmodSync(folder, 0o755);
  for (const name of ['gaiad/config', 'beam', 'by-id', 'bin'])
    mkdirSync(join(folder, name), { recursive: true });
  const lines = Object.entries({
    REGION: 'eu-central-1',
    FLEET: 'hub',
    KIND: 'sentry',
    NODE: '',
    ...settings,
  });
  writeFileSync(join(folder, 'install.env'), lines.map(([name, value]) => `${name}='${value}'\n`).join(''));
  writeFileSync(join(folder, 'gaiad/config/config.toml'), 'external_address = ""\n');
  for (const [file, first] of [
    ['passwd', 'root:x:0:0::/root:/bin/sh\nbeam:x:7001:7001::/:/bin/sh\ngaiad:x:7002:7002::/:/bin/sh\n'],
    ['group', 'root:x:0:\nbeam:x:7001:\ngaiad:x:7002:\n'],
    ['fstab', ''],
  ])
    writeFileSync(join(folder, file), first);
  return folder;
}

/** Sources the script as on that server, then runs `commands`. */
async function onServer(folder, commands, environment = {}) {
  const text = `set -e
for file in passwd group fstab; do [[ ! -e /etc/$file ]] || mount --bind "${folder}/$file" "/etc/$file"; done
. "${script}"
gaiad_home=${folder}/gaiad beam_home=${folder}/beam disks=${folder}/by-id
[[ -z \${STAND_IN:-} ]] || metadata_service=$STAND_IN/latest
${commands}`;
  const child = spawn('unshare', ['--mount', '--propagation', 'private', 'bash', '--norc', '-c', text], {
    env: {
      PATH: `${folder}/bin:${process.env.PATH}`,
      INSTALL_ENV: join(folder, 'install.env'),
      ...environment,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
  const status = await new Promise((resolve, reject) => child.on('close', resolve).on('error', reject));
  return { status, output };
}

/** @param {string} what @param {boolean} holds @param {string} seen */
function expect(what, holds, seen) {
  if (!holds) throw new Error(`not so: ${what}\n${seen}`);
}

export async function checkMounts() {
  const folder = aServer({ DATA_VOLUME_ID: 'vol-0abc' });
  try {
    const away = await onServer(folder, 'mount_data');
    expect(
      'a volume that is not attached yet is waited for',
      away.status === 1 && away.output.includes('vol-0abc is not attached yet'),
      away.output,
    );
    const { status, output } = await onServer(
      folder,
      `
truncate -s 32M "${folder}/volume"
loop=$(losetup --find --show "${folder}/volume")
trap 'cd /; umount "$gaiad_home/data" 2>/dev/null || true; losetup -d "$loop"; rm -rf "$work"' EXIT
ln -s "$loop" "$disks/nvme-Amazon_Elastic_Block_Store_vol0abc"
mount_data
mountpoint "$gaiad_home/data"
echo "new: $(stat -c %U:%G "$gaiad_home/data") $(blkid -o value -s TYPE "$loop")"
# As a snapshot brings it: another machine's user owns what is there.
echo height >"$gaiad_home/data/state.db"
chown -R 4321:4321 "$gaiad_home/data"
umount "$gaiad_home/data"
mount_data
echo "from a snapshot: $(stat -c %U "$gaiad_home/data/state.db") $(cat "$gaiad_home/data/state.db")"
mount_data
echo "fstab: $(grep -c . /etc/fstab) $(cut -d' ' -f2- /etc/fstab)"
`,
    );
    const lines = [
      'new: gaiad:gaiad ext4',
      'from a snapshot: gaiad height',
      `fstab: 1 ${folder}/gaiad/data auto defaults,nofail,noatime 0 2`,
    ];
    for (const line of lines) expect(line, status === 0 && output.includes(line), output);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return true;
}

export async function checkAddressAndRegistration() {
  const folder = aServer({ CLAIM_PARAMETER: '/beam/claim' });
  writeFileSync(join(folder, 'bin/beam'), `#!/bin/bash\necho "$(id -un): beam $*" >>${folder}/beam.calls\n`);
  chmodSync(join(folder, 'bin/beam'), 0o755);
  writeFileSync(join(folder, 'beam.calls'), '');
  chmodSync(join(folder, 'beam.calls'), 0o666);
  const world = {
    fleet: 'hub',
    metadata: { 'instance-id': 'i-0this' },
    addresses: [
      { allocation: 'eipalloc-1', node: 's1', ip: '192.0.2.1', instance: 'i-0other' },
      { allocation: 'eipalloc-2', node: 's2', ip: '192.0.2.2' },
      { allocation: 'eipalloc-3', node: 's3', ip: '192.0.2.3' },
    ],
    takenMeanwhile: ['eipalloc-2'],
    parameters: { '/beam/claim/certificate': 'the claim', '/beam/claim/key': 'its key' },
  };
  const ec2 = await standInForEc2(world);
  const environment = {
    STAND_IN: ec2.url,
    AWS_ENDPOINT_URL: ec2.url,
    AWS_ACCESS_KEY_ID: 'a',
    AWS_SECRET_ACCESS_KEY: 'b',
    AWS_CONFIG_FILE: '/dev/null',
    AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
  };
  try {
    const taken = await onServer(
      folder,
      `take_address; echo "took $NODE"; register
echo "certs: $(stat -c '%U:%G %a' "$beam_home/certs")"
echo "claim: $(stat -c '%U %a' "$beam_home/certs/claim.key") $(cat "$beam_home/certs/claim.key")"`,
      environment,
    );
    const lines = ['took s3', 'certs: beam:beam 2750', 'claim: beam 600 its key'];
    for (const line of lines) expect(line, taken.status === 0 && taken.output.includes(line), taken.output);
    const calls = readFileSync(join(folder, 'beam.calls'), 'utf8');
    expect(
      'beam registers as its own user',
      calls === `beam: beam register --home ${folder}/beam --instance-identity\n`,
      calls,
    );
    const config = readFileSync(join(folder, 'gaiad/config/config.toml'), 'utf8');
    expect('peers hear the address', config === 'external_address = "192.0.2.3:26656"\n', config);
    const again = await onServer(folder, 'take_address; echo "has $NODE"', environment);
    expect('a repeat keeps its address', again.output.includes('has s3'), again.output);
    world.metadata['instance-id'] = 'i-0late';
    const late = await onServer(folder, 'take_address', environment);
    expect(
      'who finds none free says so',
      late.status === 1 && late.output.includes('the fleet hub has no Elastic IP free'),
      late.output,
    );
  } finally {
    ec2.close();
    rmSync(folder, { recursive: true, force: true });
  }
  return true;
}
