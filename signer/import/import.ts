/** The way in from another signer: its key and its states, and then the one enrolment that there is. */

import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { createDurably } from '../disk/new-file.ts';
import { type EnrolOptions, type EnrolPlan, enrol } from '../enrol.ts';
import { EnrolError } from '../enrol-error.ts';
import { type KeySource, readHome } from '../home.ts';
import { keyFileText, signingKeyOf } from '../keys/key-material.ts';
import { openSigningKey } from '../keys/open.ts';
import { type FormerKey, type ImportSource, readFormerKey } from './former-key.ts';
import { type FormerState, readFormerState } from './former-state.ts';

export interface Found {
  from: ImportSource;
  chainId: string;
  address: string;
  /** A seed, or an expanded key, which has none and goes into no other tool again. */
  form: 'seed' | 'expanded';
  keys: { path: string; mode: number }[];
  states: FormerState[];
  /** Where the key goes. */
  keyFile: string;
  /** Whether it is there already: an import that was broken off, or done. */
  placed: boolean;
}

export interface ImportOptions extends Omit<EnrolOptions, 'key' | 'imports'> {
  from: ImportSource;
  keys: string[];
  states: string[];
  /** The operator says that this key never signed, or that its state is lost and the chain alone must tell. */
  withoutState?: boolean;
  /** Asked before the key is written. */
  take: (found: Found) => Promise<boolean>;
  /** Nothing is written, the key neither. */
  dryRun?: boolean;
}

/**
 * The key goes in first: the signer that has it answers its node and signs nothing, and so the node can run and tell when
 * ten blocks have passed. Run again after it was broken off, it goes on from there.
 * @throws EnrolError, ConfigError, KeyError, StateInUseError
 */
export async function importKey(options: ImportOptions): Promise<EnrolPlan> {
  const { from, keys, states, withoutState = false, take, dryRun = false, ...enrolment } = options;
  if (states.length === 0 && !withoutState) {
    throw new EnrolError(
      `no state of the former signer was given: without it nobody knows how far it signed, and where tmkms or Horcrux find none they start from height 0; give ${stateNames[from]} with --state, or say --without-state, and the chain alone sets the floor`,
    );
  }
  if (states.length > 0 && withoutState) {
    throw new EnrolError('--state and --without-state contradict each other; leave one out');
  }
  const home = readHome(options.home);
  if (home.key.kind === 'kms') {
    throw new EnrolError(
      "[signer.kms] names a key that no other signer's can go into; give the imported states to beam signer enrol --import, or remove [signer.kms]",
    );
  }
  const { path: keyFile } = home.key;
  const former = readFormerKey(from, keys);
  const found: Found = {
    from,
    chainId: home.chainId,
    address: former.address,
    form: former.material.kind,
    keys: former.files,
    states: states.map(readFormerState),
    keyFile,
    placed: await isPlaced(home.key, former),
  };
  if (!(await take(found))) throw new EnrolError('nothing was imported: it was not confirmed');
  if (!found.placed && !dryRun) await place(keyFile, former);
  return await enrol({ ...enrolment, imports: states, key: signingKeyOf(former.material) });
}

const stateNames: Record<ImportSource, string> = {
  filepv: 'data/priv_validator_state.json of its home',
  tmkms: 'the state_file of its [[chain]]',
  horcrux: "each cosigner's <chain id>_priv_validator_state.json and <chain id>_share_sign_state.json",
};

/** @throws EnrolError where another key is there, KeyError where what is there is none */
async function isPlaced(
  source: Extract<KeySource, { kind: 'file' }>,
  { publicKey, address }: FormerKey,
): Promise<boolean> {
  const { path, passphrase } = source;
  if (!existsSync(path)) {
    if (passphrase === undefined) return false;
    throw new EnrolError(
      `[signer] passphrase is for an encrypted key, and ${path} is not there: import without that setting, then encrypt the key with beam signer encrypt-key`,
    );
  }
  const there = await openSigningKey(source);
  if (Buffer.from(there.publicKey).equals(publicKey)) return true;
  throw new EnrolError(
    `${path} holds another key than the one given (${address}); no key is ever overwritten: move it away, or set [signer] key elsewhere`,
  );
}

async function place(keyFile: string, { material }: FormerKey): Promise<void> {
  await mkdir(dirname(keyFile), { recursive: true, mode: 0o700 });
  await createDurably(keyFile, keyFileText(material));
}
