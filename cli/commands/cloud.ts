import type { Command } from 'commander';
import { defaultData } from '../cloud-place.ts';
import { examples, run, wholeNumber } from '../command-line.ts';

interface Options {
  data?: string;
  mqttPort: number;
  httpsPort: number;
  host?: string;
  json?: boolean;
}

export function addCloud(program: Command): void {
  program
    .command('cloud')
    .summary('run the local cloud alone')
    .description(
      'Runs the local cloud in the foreground: MQTT over mutual TLS, shadows, rules, registry, DynamoDB and Lambdas. ' +
        'Prints one line when ready; with --json that line is one JSON object with the addresses, the CA file and ' +
        'keys for AWS clients. Everything acknowledged is kept in the data folder.',
    )
    .option('--data <dir>', 'where everything is kept (default: .beam/cloud of this checkout)')
    .option('--mqtt-port <port>', 'port of MQTT; 0: a free one', wholeNumber(0, 65_535), 8883)
    .option(
      '--https-port <port>',
      'port of iot, iot-data and dynamodb; 0: a free one',
      wholeNumber(0, 65_535),
      8443,
    )
    .option('--host <address>', 'what to listen on (default: 127.0.0.1, this machine alone)')
    .option('--json', 'print the ready line as JSON')
    .addHelpText(
      'after',
      examples(
        'beam cloud --data /tmp/cloud --mqtt-port 8883 --https-port 8443 --json',
        'aws --endpoint-url https://localhost:8443 --ca-bundle CA --region local iot list-things',
      ),
    )
    .action(
      run(async (options: Options) => {
        const { runCloud } = await import('../run-cloud.ts');
        return runCloud({ ...options, data: options.data ?? `${defaultData(process.env)}/cloud` });
      }),
    );
}
