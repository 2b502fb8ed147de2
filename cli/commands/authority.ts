/** `beam certs …` for those who have an authority of their own: made, kept, registered with a cloud. */

import { type Command, Option } from 'commander';
import { examples, run, wholeNumber, withCloudOptions } from '../command-line.ts';
import type {
  AuthorityOptions,
  CheckOptions,
  CrlOptions,
  IssueOptions,
  OwnAuthorityOptions,
  RegisterCaOptions,
} from '../options.ts';

const authorityHelp = 'the folder that `beam certs ca` wrote';
const listed = (value: string, before: string[]) => [...before, value];

export function addAuthority(certs: Command): void {
  addMaking(certs);
  addRevoking(certs);
  addRegistering(certs);
}

function addMaking(certs: Command): void {
  certs
    .command('ca')
    .summary('make an authority of your own')
    .description(
      'Makes a key and a certificate of an authority, for devices whose certificates AWS does not issue. With --signed-by it is ' +
        'one below another: keep the upper key off every machine that is online, and issue with the lower.',
    )
    .requiredOption('--out <dir>', 'gets ca.pem, ca.key and chain.pem; what is there is never replaced')
    .option('--name <name>', 'its common name', 'Beam device authority')
    .option('--signed-by <dir>', 'the authority above it; left out: it signs itself')
    .option('--days <n>', 'how long it is valid', wholeNumber(1, 36_500), 3650)
    .option('--dry-run', 'tell what would be written, write nothing')
    .option('--json', 'as JSON')
    .addHelpText(
      'after',
      examples(
        'beam certs ca --out ./root --name "My root"',
        'beam certs ca --out ./devices --signed-by ./root --days 730',
      ),
    )
    .action(run(async (options: AuthorityOptions) => (await import('../run-authority.ts')).makeCa(options)));
  certs
    .command('issue')
    .summary('issue a certificate from an authority of your own')
    .description("Issues a device's certificate for the key in its request.")
    .requiredOption('--authority <dir>', authorityHelp)
    .requiredOption('--csr <file>', 'the certificate request, PEM')
    .requiredOption('--out <file>', 'gets the certificate, PEM')
    .option('--days <n>', 'how long it is valid', wholeNumber(1, 3650), 365)
    .option('--thing <fleet_node>', 'whose it is, in place of what the request says of itself')
    .addOption(new Option('--kind <kind>', 'what that is, with --thing').choices(['validator', 'sentry']))
    .option('--chain', "the authority's own certificates behind it")
    .option('--dry-run', 'check everything, write nothing')
    .option('--json', 'as JSON')
    .addHelpText(
      'after',
      examples(
        'beam certs issue --authority ./devices --csr device.csr --out device.pem.crt --thing hub_a --kind sentry --chain',
      ),
    )
    .action(run(async (options: IssueOptions) => (await import('../run-authority.ts')).issue(options)));
}

function addRevoking(certs: Command): void {
  certs
    .command('crl')
    .summary("write an authority's revocation list")
    .description(
      'Writes crl.pem, the list of what the authority revoked, anew. AWS IoT does not read it: `beam certs enforce` revokes there what is on it.',
    )
    .requiredOption('--authority <dir>', authorityHelp)
    .option('--revoke <file>', 'a certificate to put on it, PEM; may be given again', listed, [])
    .option('--days <n>', 'until the next one is due', wholeNumber(1, 365), 30)
    .option('--dry-run', 'check everything, write nothing')
    .option('--json', 'as JSON')
    .addHelpText('after', examples('beam certs crl --authority ./devices --revoke stolen.pem.crt'))
    .action(run(async (options: CrlOptions) => (await import('../run-authority.ts')).writeCrl(options)));
  certs
    .command('check <certificate>')
    .summary('check a certificate against an authority of your own')
    .description(
      "Checks a certificate's chain up to the root, the times of each, and the authority's crl.pem. Exit code 1 where something is wrong or ends soon.",
    )
    .requiredOption('--authority <dir>', authorityHelp)
    .option('--within-days <n>', 'what ends sooner counts as a fault', wholeNumber(0, 3650), 30)
    .option('--json', 'as JSON')
    .addHelpText('after', examples('beam certs check device.pem.crt --authority ./devices'))
    .action(
      run(async (certificate: string, options: CheckOptions) =>
        (await import('../run-authority.ts')).check(certificate, options),
      ),
    );
  withCloudOptions(
    certs
      .command('enforce')
      .summary("revoke in the cloud what an authority's list has revoked")
      .description(
        'Looks through all certificates that are registered under the authority, and revokes those on its crl.pem; connections that they have open are cut.',
      )
      .requiredOption('--authority <dir>', authorityHelp)
      .option('--dry-run', 'tell what would be revoked, change nothing')
      .option('--json', 'as JSON'),
  ).action(
    run(async (options: OwnAuthorityOptions) => (await import('../run-authority.ts')).enforce(options)),
  );
}

function addRegistering(certs: Command): void {
  withCloudOptions(
    certs
      .command('register-ca')
      .summary('register an authority of your own with the cloud')
      .description(
        'Registers the authority, so that certificates which it issued can be. Mode DEFAULT shows that you have its key, and one account has it; ' +
          'SNI_ONLY is for one authority in several accounts: give the command in each. May be repeated, to change what happens just in time.',
      )
      .requiredOption('--authority <dir>', authorityHelp)
      .addOption(new Option('--mode <mode>', "AWS IoT's").choices(['DEFAULT', 'SNI_ONLY']).default('DEFAULT'))
      .addOption(
        new Option(
          '--just-in-time <what>',
          "what a device's first connection does: nothing; its certificate is registered, and waits to be activated; it becomes the thing that the certificate names",
        )
          .choices(['off', 'register', 'provision'])
          .default('off'),
      )
      .option(
        '--fleet <name>',
        'a fleet whose servers become things just in time; may be given again',
        listed,
        [],
      )
      .option('--dry-run', 'check everything, change nothing')
      .option('--json', 'as JSON'),
  )
    .addHelpText(
      'after',
      examples(
        'beam certs register-ca --authority ./devices',
        'beam certs register-ca --authority ./devices --just-in-time provision --fleet hub',
      ),
    )
    .action(
      run(async (options: RegisterCaOptions) => (await import('../run-authority.ts')).registerCa(options)),
    );
  withCloudOptions(
    certs
      .command('remove-ca')
      .summary('take an authority off the cloud')
      .description(
        'Deactivates the authority and deletes it from the cloud. Certificates that are registered under it stay, and stay valid.',
      )
      .requiredOption('--authority <dir>', authorityHelp)
      .option('--dry-run', 'tell what would be removed, change nothing')
      .option('--json', 'as JSON'),
  ).action(
    run(async (options: OwnAuthorityOptions) => (await import('../run-authority.ts')).removeCa(options)),
  );
}
