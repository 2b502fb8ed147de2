/** `signer.js --home DIR`: gaiad's remote signer as a process of its own. */

import './small-heap.ts';
import { parseArgs } from 'node:util';
import pino from 'pino';
import { ConfigError, homePaths } from '../protocol/config.ts';
import { StateInUseError } from './disk/state-lock.ts';
import { defaultHome, readHome, type SignerHome } from './home.ts';
import { KeyError, KeyUnavailableError } from './keys/key-error.ts';
import { openSigningKey } from './keys/open.ts';
import { ConnectionKeyError } from './secret-connection/node-identity.ts';
import { SignerProcess } from './signer-process.ts';
import { version } from './version.ts';

// Beam runs on Node 20 as long as its packages do; users can't act on the SDK's warning.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';

/** As sysexits(3) has them, so that a supervisor can tell what is worth another try. */
const exitCodes = { ok: 0, unavailable: 69, failed: 70, inUse: 75, disk: 74, config: 78 } as const;

/** What this home's mode has run here. Only under `sign` is a key opened. */
async function signerFor(home: SignerHome): Promise<Pick<SignerProcess, 'start' | 'stop'>> {
  switch (home.mode) {
    case 'monitor':
    case 'config':
      throw new ConfigError(homePaths.config, [
        `mode: is "${home.mode}", in which no signer of Beam runs; set it to "dry-run" or "sign" when that is what you want (docs/stages.md)`,
      ]);
    case 'dry-run': {
      const { DryRun } = await import('./dry-run/dry-run.ts');
      return new DryRun({ home, log, version, onFatal });
    }
    case 'sign':
      return new SignerProcess({ home, key: await openSigningKey(home.key), log, version, onFatal });
  }
}

function onFatal(error: unknown): void {
  const known = error instanceof ConfigError;
  log.fatal(
    known ? {} : { err: error },
    known ? error.message : 'the signer state could not be written; the signer ends without signing',
  );
  // Answers that are refusals may still go out; a signature can't, as every save fails from now on.
  setTimeout(() => process.exit(known ? exitCodes.config : exitCodes.disk), 100);
}

const { values } = parseArgs({ options: { home: { type: 'string' } } });
const log = pino(
  { base: { process: 'signer' }, timestamp: pino.stdTimeFunctions.isoTime },
  pino.destination({ fd: 2, sync: true }),
);

try {
  const home = readHome(values.home ?? defaultHome());
  log.level = home.logLevel;
  const signer = await signerFor(home);
  await signer.start();
  let ending = false;
  const end = (signal: NodeJS.Signals) => {
    if (ending) return;
    ending = true;
    log.info({ signal }, 'the signer ends');
    void signer.stop().finally(() => process.exit(exitCodes.ok));
  };
  process.on('SIGTERM', end);
  process.on('SIGINT', end);
} catch (error) {
  log.fatal(isKnown(error) ? {} : { err: error }, (error as Error).message);
  process.exit(exitCodeOf(error));
}

/** Told by its message alone: it says what to do. */
function isKnown(error: unknown): boolean {
  return [ConfigError, KeyError, ConnectionKeyError, StateInUseError].some((kind) => error instanceof kind);
}

function exitCodeOf(error: unknown): number {
  if (error instanceof StateInUseError) return exitCodes.inUse;
  if (error instanceof KeyUnavailableError) return exitCodes.unavailable;
  return isKnown(error) ? exitCodes.config : exitCodes.failed;
}
