/** The pilot's process: `pilot.js [--home DIR]`. */

import { homedir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { CertificateFileError } from '../protocol/certificates.ts';
import { ConfigError } from '../protocol/config.ts';
import { AwsCloudLink } from './cloud/aws-cloud-link.ts';
import { CertificateWatch } from './cloud/certificate-watch.ts';
import { readCredentials } from './cloud/credentials.ts';
import { loadHome } from './home/load-home.ts';
import { openLog } from './log.ts';
import { Pilot } from './pilot.ts';

const exitCodes = { usage: 2, configuration: 78 } as const;
/** An orderly end takes at most this long. */
const stopTimeoutMs = 8_000;

const usage = `Usage: pilot.js [--home DIR]

Runs the pilot of this server until SIGTERM or SIGINT; gaiad goes on without it.
  --home DIR  its Beam home (default: $BEAM_HOME, else ~/.beam)
`;

function fail(message: string, code: number): never {
  process.stderr.write(`${message}\n`);
  process.exit(code);
}

function readArguments(): { home: string } {
  try {
    const { values } = parseArgs({
      options: { home: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
    });
    if (values.help) {
      process.stdout.write(usage);
      process.exit(0);
    }
    return { home: values.home ?? process.env.BEAM_HOME ?? join(homedir(), '.beam') };
  } catch (error) {
    fail(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`, exitCodes.usage);
  }
}

/**
 * V8 lets its young generation grow to 32 MB under the pilot's steady small garbage: a quarter of all that it may take.
 * Small, it is collected more often, which costs the pilot nothing that shows. Set at run time, as who starts the
 * pilot may not know Node's options.
 */
function keepSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
}

async function main(): Promise<void> {
  keepSmall();
  const { home: root } = readArguments();
  try {
    const home = await loadHome(root);
    const credentials = home.config.cloud && (await readCredentials(home, home.config.cloud, Date.now()));
    const log = openLog(home.config.log.level, { thing: home.thing });
    const { cloud } = home.config;
    const pilot = new Pilot(
      home,
      cloud &&
        credentials &&
        ((subscriptions, events) =>
          new AwsCloudLink(
            { endpoint: cloud.mqtt, clientId: home.thing, ...credentials, subscriptions, log },
            events,
          )),
      log,
    );
    const watch =
      cloud &&
      credentials &&
      new CertificateWatch({
        inUse: credentials,
        read: () => readCredentials(home, cloud, Date.now()),
        replace: (next) => pilot.replaceCredentials(next),
        nowMs: Date.now,
        log: log.child({ part: 'certificate' }),
      });
    let stopping = false;
    const stop = (signal: string) => {
      if (stopping) return;
      stopping = true;
      log.info({ signal }, 'the pilot ends; gaiad goes on');
      setTimeout(() => process.exit(1), stopTimeoutMs);
      watch?.stop();
      // The SDK's native client can hold up or abort a natural end of the process.
      pilot.stop().then(
        () => process.exit(0),
        (error) => {
          log.error({ err: error }, 'the end was not orderly');
          process.exit(1);
        },
      );
    };
    process.on('SIGTERM', () => stop('SIGTERM'));
    process.on('SIGINT', () => stop('SIGINT'));
    process.on('SIGHUP', () => stop('SIGHUP'));
    await pilot.start();
    watch?.start();
  } catch (error) {
    if (error instanceof ConfigError) {
      const faults = error.faults.map((fault) => `  ${fault}`).join('\n');
      fail(`The pilot can't start. ${error.file}:\n${faults}`, exitCodes.configuration);
    }
    if (error instanceof CertificateFileError) {
      fail(`The pilot can't start. ${error.message}`, exitCodes.configuration);
    }
    throw error;
  }
}

await main();
