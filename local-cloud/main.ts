/** The local cloud's process. Started by `beam cloud` and `beam up`; its options are in `usage`. */

import { once } from 'node:events';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import pino from 'pino';
import { startCloud } from './cloud.ts';

const usage = `local-cloud --data DIR [--mqtt-port 8883] [--https-port 8443] [--credentials-port 8444]
            [--http-port N] [--host 127.0.0.1] [--json] [--rules DIR] [--lambdas DIR] [--manifest FILE] [--aws-rates]
            [--log-level info]

  --data      folder of the cloud's state, certificates and keys; made at the first start
  --…-port    0 is a free port
  --host      what to listen on
  --credentials-port  of the credentials provider; left out: the one behind --https-port, if it is free
  --http-port what --https-port serves, without TLS and on 127.0.0.1 alone; left out: it is not served
  --json      print one JSON line when ready
  --rules     a folder with rules/*.json and policies/*.json, in place of the built-in ones
  --lambdas   a folder with <name>/index.cjs
  --manifest  lambdas/manifest.json
  --aws-rates AWS's rates hold: connects, publishes and bytes a second, requests to shadows`;

/** Exit codes: 2 for wrong arguments, 1 for a cloud that cannot start. */
function fail(message: string, code: number): never {
  process.stderr.write(`local-cloud: ${message}\n`);
  process.exit(code);
}

function argumentsOf(argv: string[]) {
  try {
    const { values } = parseArgs({
      args: argv,
      options: {
        data: { type: 'string' },
        'mqtt-port': { type: 'string', default: '8883' },
        'https-port': { type: 'string', default: '8443' },
        'credentials-port': { type: 'string' },
        'http-port': { type: 'string' },
        host: { type: 'string', default: '127.0.0.1' },
        json: { type: 'boolean', default: false },
        rules: { type: 'string' },
        lambdas: { type: 'string' },
        manifest: { type: 'string' },
        'aws-rates': { type: 'boolean', default: false },
        'log-level': { type: 'string', default: 'info' },
        help: { type: 'boolean', default: false },
      },
    });
    return values;
  } catch (error) {
    fail(`${error instanceof Error ? error.message : String(error)}\n${usage}`, 2);
  }
}

function portOf(name: string, text: string): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port > 65_535) fail(`--${name} must be 0 to 65535: ${text}`, 2);
  return port;
}

const values = argumentsOf(process.argv.slice(2));
if (values.help) {
  process.stdout.write(`${usage}\n`);
  process.exit(0);
}
if (values.data === undefined) fail(`--data is missing\n${usage}`, 2);
const levels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];
if (!levels.includes(values['log-level'])) fail(`--log-level must be one of ${levels.join(', ')}`, 2);

const log = pino(
  { name: 'local-cloud', level: values['log-level'], timestamp: pino.stdTimeFunctions.isoTime },
  pino.destination(2),
);
const here = dirname(fileURLToPath(import.meta.url));

/** So that a cloud that is started again has the same; where another process has it, any. */
async function portBehind(port: number, host: string): Promise<number> {
  if (port === 0 || port >= 65_535) return 0;
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(0));
    probe.listen(port + 1, host, () => probe.close(() => resolve(port + 1)));
  });
}

try {
  const httpsPort = portOf('https-port', values['https-port']);
  const cloud = await startCloud({
    dataDir: values.data,
    host: values.host,
    mqttPort: portOf('mqtt-port', values['mqtt-port']),
    httpsPort,
    ...(values['http-port'] === undefined ? {} : { httpPort: portOf('http-port', values['http-port']) }),
    credentialsPort:
      values['credentials-port'] === undefined
        ? await portBehind(httpsPort, values.host)
        : portOf('credentials-port', values['credentials-port']),
    lambdasDir: values.lambdas ?? join(here, 'lambdas'),
    hostPath: join(here, 'lambda-host.js'),
    hasRates: values['aws-rates'],
    log,
    ...(values.rules === undefined ? {} : { rulesDir: values.rules }),
    ...(values.manifest === undefined ? {} : { manifestFile: values.manifest }),
  });
  const { ready } = cloud;
  process.stdout.write(
    values.json
      ? `${JSON.stringify(ready)}\n`
      : `The local cloud is ready: MQTT ${ready.mqtt}, HTTPS ${ready.https}, CA ${ready.ca}\n`,
  );
  await Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')]);
  // A second signal ends it at once: what was acknowledged is on disk anyway.
  process.once('SIGTERM', () => process.exit(1));
  process.once('SIGINT', () => process.exit(1));
  await cloud.stop();
  process.exit(0);
} catch (error) {
  fail(error instanceof Error ? error.message : String(error), 1);
}
