/**
 * A passphrase from where no other process can read it: an open file descriptor, or a systemd credential. Never an argument
 * or the environment, which other processes and crash reports show.
 */

import { closeSync, constants, fstatSync, readdirSync, readFileSync, readlinkSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { KeyError } from './key-error.ts';

/** O_ACCMODE of fcntl.h. */
const accessModes = constants.O_RDONLY | constants.O_WRONLY | constants.O_RDWR;
const passphraseBytesMax = 4096;

/**
 * @param source `fd:NUMBER` or `credential:NAME`
 * @returns its first line
 * @throws KeyError
 */
export function readPassphrase(source: string): string {
  const [kind, name = ''] = source.split(/:(.*)/s);
  const bytes =
    kind === 'fd' ? readDescriptor(Number(name)) : kind === 'credential' ? readCredential(name) : undefined;
  if (bytes === undefined) {
    throw new KeyError('a passphrase comes from "fd:NUMBER" or "credential:NAME"; correct it');
  }
  const end = bytes.indexOf('\n');
  const passphrase = bytes.toString('utf8', 0, end < 0 ? bytes.length : end).replace(/\r$/, '');
  if (passphrase === '') throw new KeyError(`the passphrase from ${source} is empty; give one`);
  return passphrase;
}

function readCredential(name: string): Buffer {
  const dir = process.env.CREDENTIALS_DIRECTORY;
  if (!dir) {
    throw new KeyError(
      `the passphrase is systemd's credential ${name}, and there is no CREDENTIALS_DIRECTORY: run the signer as a service with LoadCredentialEncrypted=${name}, or give the passphrase another way ([signer] passphrase)`,
    );
  }
  try {
    const bytes = readFileSync(join(dir, name));
    if (bytes.length <= passphraseBytesMax) return bytes;
  } catch (error) {
    throw new KeyError(
      `the credential ${name} can't be read in CREDENTIALS_DIRECTORY (${(error as NodeJS.ErrnoException).code}): name it in the service's LoadCredentialEncrypted=${name}`,
      { cause: error },
    );
  }
  throw new KeyError(
    `the credential ${name} has more than ${passphraseBytesMax} bytes, so it is no passphrase`,
  );
}

/** Reads up to an end of line or of the file, and closes the descriptor. */
function readDescriptor(fd: number): Buffer {
  checkGiven(fd);
  const bytes = Buffer.alloc(passphraseBytesMax);
  let length = 0;
  try {
    while (length < bytes.length) {
      const read = readSync(fd, bytes, length, bytes.length - length, null);
      if (read === 0 || bytes.subarray(length, length + read).includes('\n'))
        return bytes.subarray(0, length + read);
      length += read;
    }
  } catch (error) {
    throw new KeyError(
      `the passphrase can't be read from file descriptor ${fd} (${(error as NodeJS.ErrnoException).code}); give it as a file or a pipe: ${fd}<FILE`,
      { cause: error },
    );
  } finally {
    if (fd > 2) closeSync(fd);
  }
  throw new KeyError(
    `file descriptor ${fd} has no end of line within ${passphraseBytesMax} bytes, so it is no passphrase`,
  );
}

/** A descriptor that nobody gave may be one of Node's own: reading that would hang or break this process. */
function checkGiven(fd: number): void {
  try {
    const found = fstatSync(fd);
    if ((found.isFile() || found.isFIFO() || found.isSocket() || found.isCharacterDevice()) && !isOwnPipe(fd))
      return;
  } catch {
    // Not open: told below.
  }
  throw new KeyError(
    `the passphrase should come from file descriptor ${fd}, which was not given to this process: start it with ${fd}<FILE (a service: OpenFile=), or give the passphrase as a credential`,
  );
}

/** Node's own pipes have both their ends in this process. */
function isOwnPipe(fd: number): boolean {
  const opened = linkOf(String(fd));
  if (!opened?.startsWith('pipe:')) return false;
  return openDescriptors().some((other) => linkOf(other) === opened && isWritable(other));
}

/** Empty where the system has no /proc: then a descriptor is taken for given. */
function openDescriptors(): string[] {
  try {
    return readdirSync('/proc/self/fd');
  } catch {
    return [];
  }
}

function linkOf(fd: string): string | undefined {
  try {
    return readlinkSync(join('/proc/self/fd', fd));
  } catch {
    return undefined;
  }
}

/** By its octal open(2) flags in proc_pid_fdinfo(5). */
function isWritable(fd: string): boolean {
  try {
    const flags = /^flags:\s*([0-7]+)/m.exec(readFileSync(join('/proc/self/fdinfo', fd), 'utf8'))?.[1] ?? '0';
    return (Number.parseInt(flags, 8) & accessModes) !== constants.O_RDONLY;
  } catch {
    return false;
  }
}
