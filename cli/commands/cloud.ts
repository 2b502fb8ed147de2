import type { Command } from 'commander';
import { defaultData } from '../cloud-place.ts';
import { examples, run, wholeNumber, withCloudOptions } from '../command-line.ts';
import type { DeployCommandOptions } from '../options.ts';

interface Options {
  data?: string;
  mqttPort: number;
  httpsPort: number;
  httpPort?: number;
  credentialsPort?: number;
  awsRates?: boolean;
  host?: string;
  json?: boolean;
}

const dataOption = ['--data <dir>', 'the data folder (default: .beam/cloud of this checkout)'] as const;
const placed = <T extends { data?: string }>(options: T) => ({
  ...options,
  data: options.data ?? `${defaultData(process.env)}/cloud`,
});

/** Commands on a local cloud's data folder. */
function addData(cloud: Command): void {
  cloud
    .command('check')
    .summary('read a data folder whole, and say what is broken')
    .description(
      'Reads everything in a data folder, of a cloud that runs or one that is stopped, and says by name what is broken: ' +
        'values that cannot be read, names of what is not there, items that would not be found. Changes nothing. Exit code 1 if anything is.',
    )
    .option(...dataOption)
    .option('--json', 'as JSON')
    .action(run(async (options: Options) => (await import('../run-cloud-data.ts')).check(placed(options))));
  cloud
    .command('backup <file>')
    .summary('write everything of one moment into a file')
    .description(
      'Writes all of a data folder as it is at one moment into a new file, of a cloud that runs (it goes on meanwhile) or one that is ' +
        "stopped. The CA's key and the access key are in it.",
    )
    .option(...dataOption)
    .option('--json', 'as JSON')
    .action(
      run(async (file: string, options: Options) =>
        (await import('../run-cloud-data.ts')).backup(file, placed(options)),
      ),
    );
  cloud
    .command('restore <file>')
    .summary('make a data folder from a backup')
    .description(
      'Makes a new data folder from a backup. A sign record in it gets another id and is sealed, as it is behind what was signed ' +
        'since: every signer refuses until the key is enrolled anew.',
    )
    .option(...dataOption)
    .option('--json', 'as JSON')
    .addHelpText(
      'after',
      examples('beam cloud backup monday.backup', 'beam cloud restore monday.backup --data /tmp/monday'),
    )
    .action(
      run(async (file: string, options: Options) =>
        (await import('../run-cloud-data.ts')).restore(file, placed(options)),
      ),
    );
}

function addDeploy(cloud: Command): void {
  withCloudOptions(
    cloud
      .command('deploy')
      .summary('deploy Commander: functions, rules, policies, schedules, tables')
      .description(
        "Deploys what Beam runs in a cloud, by AWS's own clients: functions with their roles, rules, policies, provisioning templates, " +
          'schedules, tables, the alert topic and the dead-letter queue. Each is read first and changed only where it differs; nothing is ' +
          'deleted, and no sign record is touched. Says what it changed. The same on AWS and on a local cloud.',
      )
      .option('--dry-run', 'tell what would be changed, change nothing')
      .option('--rules <dir>', 'rules/, policies/ and templates/ in place of the ones that came with Beam')
      .option(
        '--role <arn>',
        'one role for all functions (default: one each, with what it needs and no more)',
      )
      .option('--runtime <name>', "Lambda's Node.js (default: nodejs22.x)")
      .option('--json', 'as JSON'),
  )
    .addHelpText(
      'after',
      examples(
        'beam cloud deploy --aws --region eu-central-1 --dry-run',
        'beam cloud deploy --endpoint https://localhost:8443 --ca .beam/cloud/credentials/ca.pem',
      ),
    )
    .action(
      run(async (options: DeployCommandOptions) =>
        (await import('../run-cloud-deploy.ts')).deployCloud(options),
      ),
    );
}

export function addCloud(program: Command): void {
  const cloud = program
    .command('cloud')
    .enablePositionalOptions()
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
    .option(
      '--http-port <port>',
      'the same without TLS, on this machine alone (default: not served)',
      wholeNumber(0, 65_535),
    )
    .option(
      '--credentials-port <port>',
      'port of the credentials provider; 0: a free one (default: the one behind --https-port, where it is free)',
      wholeNumber(0, 65_535),
    )
    .option('--host <address>', 'what to listen on (default: 127.0.0.1, this machine alone)')
    .option('--aws-rates', "AWS's rates hold: connects, publishes and bytes a second, requests to shadows")
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
        return runCloud(placed(options));
      }),
    );
  addData(cloud);
  addDeploy(cloud);
}
