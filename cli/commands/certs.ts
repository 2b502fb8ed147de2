/** `beam certs …`: an authority, and certificates of servers. */

import { type Command, Option } from 'commander';
import { examples, run, wholeNumber, withCloudOptions } from '../command-line.ts';
import type {
  ClaimOptions,
  CloudCommandOptions,
  RegisterOptions,
  RenewOptions,
  RetireOptions,
} from '../options.ts';
import { addAuthority } from './authority.ts';

export function addCerts(program: Command): void {
  const certs = program
    .command('certs')
    .summary('certificates of servers')
    .description(
      "Makes an authority, registers servers with their certificates, rotates and revokes them. A server's key is made on " +
        'the server and never leaves it: these take its certificate request (CSR).',
    );
  addAuthority(certs);
  addRegistrations(certs);
  addOwn(certs);
  withCloudOptions(
    certs
      .command('list <thing>')
      .description("The certificates of a server's thing, by ARN.")
      .option('--json', 'as JSON'),
  ).action(
    run(async (thing: string, options: CloudCommandOptions) =>
      (await import('../run-certs.ts')).list(thing, options),
    ),
  );
  withCloudOptions(
    certs
      .command('revoke <certificate>')
      .summary('revoke a certificate')
      .description(
        'Revokes a certificate and takes it off its things and policies; a connection that it has open is cut. <certificate> is its ARN.',
      )
      .option('--dry-run', 'tell what would be revoked, change nothing')
      .option('--json', 'as JSON'),
  )
    .addHelpText(
      'after',
      examples('beam certs list demo_a', 'beam certs revoke arn:aws:iot:…:cert/… --dry-run'),
    )
    .action(
      run(async (certificate: string, options: CloudCommandOptions) =>
        (await import('../run-certs.ts')).revokeCertificate(certificate, options),
      ),
    );
}

function addRegistrations(certs: Command): void {
  const work = {
    register: {
      summary: 'register a server and its first certificate',
      description:
        'Registers the thing with its attributes in its fleet, and a certificate for the key in the request, with the ' +
        'policies of its kind. May be repeated: what is there stays.',
    },
    rotate: {
      summary: 'a new certificate beside the old ones',
      description:
        'Registers a further certificate. The old ones stay valid, so that the server changes over without a gap: put the new ' +
        'file in place, see the pilot change over by itself, then revoke the old ones, which this prints.',
    },
  } as const;
  for (const name of ['register', 'rotate'] as const) {
    withCloudOptions(
      certs
        .command(name)
        .summary(work[name].summary)
        .description(work[name].description)
        .requiredOption('--fleet <name>', 'the fleet')
        .requiredOption('--node <name>', "the server's name in it")
        .addOption(
          new Option('--kind <kind>', 'what it is').choices(['validator', 'sentry']).makeOptionMandatory(),
        )
        .option('--zone <zone>', 'where it stands')
        .option('--csr <file>', 'its certificate request, PEM, for which the cloud issues a certificate')
        .option('--out <file>', 'gets that certificate, PEM')
        .option(
          '--certificate <file>',
          'in place of a request: the certificate that an authority of your own issued',
        )
        .option(
          '--authority <dir>',
          'its authority, if that is registered; left out: any, the certificate alone counts',
        )
        .option('--dry-run', 'check everything, change nothing')
        .option('--json', 'as JSON'),
    )
      .addHelpText(
        'after',
        examples(
          `beam certs ${name} --fleet hub --node a --kind validator --csr device.csr --out device.pem.crt`,
          `beam certs ${name} --fleet hub --node a --kind validator --certificate device.pem.crt --authority ./authority`,
        ),
      )
      .action(
        run(async (options: RegisterOptions) => (await import('../run-certs.ts')).registerCsr(name, options)),
      );
  }
}

function addOwn(certs: Command): void {
  withCloudOptions(
    certs
      .command('claim')
      .summary('make a claim certificate for fresh servers')
      .description(
        'Makes a key and a certificate with which a fresh server registers itself (`beam register`), and nothing else can ' +
          'be done: put both on an image or a server. Only servers that were admitted (`beam fleet admit`) get in with it.',
      )
      .requiredOption('--out <dir>', 'gets claim.pem.crt and claim.key; what is there is never replaced')
      .option('--dry-run', 'tell what would be made, make nothing')
      .option('--json', 'as JSON'),
  )
    .addHelpText('after', examples('beam certs claim --out ./claim'))
    .action(run(async (options: ClaimOptions) => (await import('../run-certs.ts')).claim(options)));
  certs
    .command('renew')
    .summary('renew the certificate of this server')
    .description(
      'On the server itself: makes a new key here, gets a certificate for it with the one that is there, and puts both in place ' +
        'as one. A running pilot changes over by itself, without losing a message. The old certificate stays valid until an ' +
        'operator retires it (`beam certs retire`).',
    )
    .option('--home <dir>', "this server's Beam home (default: $BEAM_HOME, else ~/.beam)")
    .option('--within-days <n>', 'only if less than this is left of the one there', wholeNumber(1, 3650))
    .option('--dry-run', 'tell what would be done, do nothing')
    .option('--json', 'as JSON')
    .addHelpText(
      'after',
      examples('beam certs renew', 'beam certs renew --within-days 30   # daily, by a timer'),
    )
    .action(run(async (options: RenewOptions) => (await import('../run-self.ts')).renewThisServer(options)));
  withCloudOptions(
    certs
      .command('retire <thing>')
      .summary('revoke what a renewal left behind')
      .description(
        "Revokes all of a thing's certificates but the newest active one, or but the one given by --keep.",
      )
      .option('--keep <arn>', 'the one that stays')
      .option('--dry-run', 'tell what would be revoked, change nothing')
      .option('--json', 'as JSON'),
  )
    .addHelpText('after', examples('beam certs retire demo_a --dry-run', 'beam certs retire demo_a'))
    .action(
      run(async (thing: string, options: RetireOptions) =>
        (await import('../run-certs.ts')).retire(thing, options),
      ),
    );
}
