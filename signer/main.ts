/** `signer.js --home DIR`: gaiad's remote signer as a process of its own. */

import './small-heap.ts';
import { parseArgs } from 'node:util';
import pino from 'pino';
import { ConfigError, homePaths } from '../protocol/config.ts';
import type { Stage } from '../protocol/stages.ts';
import { StateInUseError } from './disk/state-lock.ts';
import { defaultHome, readHome } from './home.ts';
import { KeyError, KeyUnavailableError } from './keys/key-error.ts';
import { openSigningKey } from './keys/open.ts';
import { ConnectionKeyError } from './secret-connection/node-identity.ts';
import { SignerProcess } from './signer-process.ts';
import { version } from './version.ts';

// Beam runs on Node 20 as long as its packages do; users can't act on the SDK's warning.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';

/** As sysexits(3) has them, so that a supervisor can tell what is worth another try. */
const exitCodes = { ok: 0, unavailable: 69, failed: 70, inUse: 75, disk: 74, config: 78 } as const;

function notSigning(mode: Stage): string {
  return `mode: is "${mode}", in which Beam's signer does not sign; set it to "sign" when that is what you want (docs/stages.md)`;
}

const { values } = parseArgs({ options: { home: { type: 'string' } } });
const log = pino(
  { base: { process: 'signer' }, timestamp: pino.stdTimeFunctions.isoTime },
  pino.destination({ fd: 2, sync: true }),
);

try {
  const home = readHome(values.home ?? defaultHome());
  log.level = home.logLevel;
  if (home.mode !== 'sign') throw new ConfigError(homePaths.config, [notSigning(home.mode)]);
  const signer = new SignerProcess({
    home,
    key: await openSigningKey(home.key),
    log,
    version,
    onFatal: (error) => {
      log.fatal({ err: error }, 'the signer state could not be written; the signer ends without signing');
      // Answers that are refusals may still go out; a signature can't, as every save fails from now on.
      setTimeout(() => process.exit(exitCodes.disk), 100);
    },
  });
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
