/** `beam signer doctor`: looks at everything on which signing here leans, and changes nothing. */

import { homedir } from 'node:os';
import { signRecordKey } from '../../protocol/sign-record.ts';
import { signerStatus } from '../ask.ts';
import { systemClock } from '../clock.ts';
import type { StateReading } from '../core/ports.ts';
import { consensusAddress } from '../core/service.ts';
import { DiskStateFile } from '../disk/state-file.ts';
import { dynamoTable } from '../dynamodb.ts';
import { readHome, type SignerHome } from '../home.ts';
import { openSigningKey } from '../keys/open.ts';
import { RecordClient } from '../record-client.ts';
import { refusalOf } from '../signer-process.ts';
import { chainFindings, configFindings, nodeStatus, slashingParams } from './chain.ts';
import { clockFindings, cloudOffset } from './clock.ts';
import type { Finding } from './finding.ts';
import { guardFindings, recordFindings, signerFinding } from './guard.ts';
import { copyFindings, findCopies } from './key-copies.ts';
import { diskFindings, permissionFindings } from './machine.ts';

export interface DoctorOptions {
  home: string;
  /** Further folders in which to look for copies of the key. */
  look?: string[];
  /** Where keys of other signers usually are; left out: the home of this user, and of others that this one may read. */
  likely?: string[];
}

/** @throws ConfigError where the configuration itself can't be read */
export async function examine(options: DoctorOptions): Promise<Finding[]> {
  const home = readHome(options.home);
  const { look = [], likely = [homedir(), '/home', '/root', '/opt', '/srv', '/etc/tmkms', '/var/lib'] } =
    options;
  const reading = await new DiskStateFile(home.stateDir).load();
  const { publicKey, findings: keyFound } = await keyOf(home, reading);
  const keyFile = home.key.kind === 'file' ? home.key.path : undefined;

  const copies = publicKey
    ? copyFindings(
        await findCopies(
          publicKey,
          { gaiadHome: home.gaiadHome, named: [home.home, ...look], likely },
          keyFile,
        ),
        home.mode === 'sign',
      )
    : [];
  const node = await nodeStatus(home.rpc);
  return [
    ...keyFound.found,
    ...copies,
    ...permissionFindings(keyFile, home.stateDir, process.getuid?.()),
    ...clockFindings(
      home.dynamo && (await cloudOffset(cloudUrl(home.dynamo), home.dynamo.ca, systemClock.wall)),
      node?.blockTimeMs,
      systemClock.wall(),
    ),
    ...(await diskFindings(home.stateDir)),
    ...guardFindings(reading, keyFound.refusal),
    signerFinding(await signerStatus(options.home)),
    ...(publicKey ? await recordOf(home, publicKey, reading) : []),
    ...configFindings(home.gaiadHome, home.node, home.mode),
    ...chainFindings(node, home.chainId, node && (await slashingParams(home.rpc))),
  ];
}

function cloudUrl({ endpoint, region }: NonNullable<SignerHome['dynamo']>): string {
  return endpoint ?? `https://dynamodb.${region}.amazonaws.com/`;
}

/** The public key, from the key or, where that can't be opened here, from what was pinned. */
async function keyOf(home: SignerHome, reading: StateReading) {
  const pinned = reading.kind === 'state' ? Buffer.from(reading.state.publicKey, 'base64') : undefined;
  try {
    const key = await openSigningKey(home.key);
    const where = home.key.kind === 'file' ? home.key.path : `AWS KMS, ${home.key.keyId}`;
    const found: Finding[] = [
      {
        check: 'key',
        level: 'well',
        text: `${consensusAddress(key.publicKey)} on ${home.chainId}, in ${where}`,
      },
    ];
    return { publicKey: key.publicKey, findings: { found, refusal: refusalOf(reading, home, key) } };
  } catch (error) {
    const found: Finding[] = [
      {
        check: 'key',
        level: 'critical',
        text: (error as Error).message,
        remedy: 'the signer can’t start without it (a passphrase by fd: is the signer’s alone to read)',
      },
    ];
    return { publicKey: pinned, findings: { found, refusal: undefined } };
  }
}

async function recordOf(home: SignerHome, publicKey: Uint8Array, reading: StateReading): Promise<Finding[]> {
  if (!home.dynamo) return [];
  const state = reading.kind === 'state' ? reading.state : undefined;
  const pin = state?.record ?? {
    key: signRecordKey(home.chainId, consensusAddress(publicKey)),
    table: home.table,
  };
  const table = dynamoTable(home.dynamo);
  try {
    const store = new RecordClient(table, home.table, systemClock.sleep);
    const underRecord = state?.guard === 'record' ? state : undefined;
    return await recordFindings(store, pin, underRecord, systemClock.now);
  } finally {
    table.close();
  }
}
