/** Which machine this is: a signer state that comes up on another one is a copy. */

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

const files = ['/etc/machine-id', '/var/lib/dbus/machine-id'];

/** @returns a digest (machine-id(5) asks not to show the id itself), or empty where the machine has none */
export function machineDigest(): string {
  for (const file of files) {
    try {
      const id = readFileSync(file, 'utf8').trim();
      if (id !== '') return createHash('sha256').update(`beam-signer ${id}`).digest('hex').slice(0, 32);
    } catch {
      // The next place, or none.
    }
  }
  return '';
}
