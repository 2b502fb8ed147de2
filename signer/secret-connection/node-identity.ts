/** Who is at the two ends of a SecretConnection: our own lasting key, and the node's, where it is pinned. */

import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, statSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { type ConnectionKey, rawPublicKey, SecretChannelError } from './secret-channel.ts';

export class ConnectionKeyError extends Error {
  override readonly name = 'ConnectionKeyError';
}

/** CometBFT's node id: the first 20 bytes of SHA-256 of the Ed25519 key, in hex. */
export function nodeId(publicKey: Uint8Array): string {
  return createHash('sha256').update(publicKey).digest('hex').slice(0, 40);
}

/**
 * Our key on connections by TCP: made where there is none, so that a node or a firewall's log knows this signer again.
 * @throws ConnectionKeyError: what is wrong with the file, and what to do.
 */
export function connectionKey(path: string): ConnectionKey {
  try {
    return loadKey(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  try {
    makeKey(path);
  } catch (error) {
    throw new ConnectionKeyError(
      `the connection key ${path} can't be written (${(error as Error).message}); make room there, or name another place in [signer] connection_key`,
      { cause: error },
    );
  }
  return loadKey(path);
}

function makeKey(path: string): void {
  const { privateKey } = generateKeyPairSync('ed25519');
  mkdirSync(dirname(path), { recursive: true });
  const file = openSync(path, 'wx', 0o600);
  try {
    writeSync(file, privateKey.export({ format: 'pem', type: 'pkcs8' }).toString());
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function loadKey(path: string): ConnectionKey {
  const mode = statSync(path).mode & 0o777;
  if (mode & 0o077) {
    throw new ConnectionKeyError(
      `${path} has mode ${mode.toString(8)}: others than its owner may pose as this signer; chmod 600 it`,
    );
  }
  try {
    const key = createPrivateKey(readFileSync(path));
    if (key.asymmetricKeyType !== 'ed25519') throw new Error(`it is of type ${key.asymmetricKeyType}`);
    return { publicKey: rawPublicKey(createPublicKey(key)), sign: (bytes) => sign(null, bytes, key) };
  } catch (error) {
    throw new ConnectionKeyError(
      `${path} holds no Ed25519 private key in PEM (${(error as Error).message}); give another path in [signer] connection_key: where there is no file, the next start makes a key`,
      { cause: error },
    );
  }
}

/**
 * @param pinned an ed25519 public key (base64 or hex) or a node id, as the configuration has it.
 * @throws SecretChannelError where another one answers.
 */
export function checkPinned(pinned: string, publicKey: Uint8Array): void {
  const key = Buffer.from(publicKey);
  const known = [key.toString('base64'), key.toString('hex'), nodeId(publicKey)];
  const wanted = /^[0-9A-Fa-f]+$/.test(pinned) ? pinned.toLowerCase() : pinned;
  if (known.includes(wanted)) return;
  throw new SecretChannelError(
    `another node than the one in [signer] node_key answers: it has the key ${key.toString('base64')} (node id ${nodeId(publicKey)}). ` +
      'If it is the one that is meant, put that there; a stock CometBFT node has a new key at each start: "unpinned"',
  );
}
