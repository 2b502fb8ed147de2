/** The files of a server's Beam home, from their schemas. */

import { configFile, nodeFile } from '../../../protocol/config.ts';
import { stageFeatures } from '../../../protocol/stages.ts';
import { schemaTable } from './schema-table.ts';
import { code, page, table } from './tables.ts';

const file = 'protocol/config.ts';

export function configurationPage(root: string): string {
  const common = { root, named: new Map(), defaults: true };
  const yes = (on: boolean) => (on ? 'yes' : '');
  return page(
    'Configuration files of a server',
    "Both are in the server's Beam home (`--home`, else `$BEAM_HOME`, else `~/.beam`), and `beam init` writes them. A key that is not here is an " +
      'error, and all errors of a file are told at once. Paths are relative to the home. A change takes effect when pilot and signer are started again.',
    '## config.toml',
    'What this machine is to Beam. Nothing in it can be set from the cloud.',
    schemaTable({ ...common, schema: configFile, declared: [{ file, names: ['configFile'] }] }),
    'A section that is left out with needed keys in it (`cloud`, `signer`) is off as a whole.',
    '### mode',
    table(
      ['mode', 'starts and configures gaiad', 'a signer runs', "Beam's signature, roles, failover"],
      Object.entries(stageFeatures).map(([mode, { supervises, hasSigner, signs }]) => [
        code(mode),
        yes(supervises),
        yes(hasSigner),
        yes(signs),
      ]),
    ),
    'What each is good for: [stages](../stages.md).',
    '## node.toml',
    'Which server of which fleet this is. Thing name and MQTT client id are `<fleet>_<node>`.',
    schemaTable({ ...common, schema: nodeFile, declared: [{ file, names: ['nodeFile'] }] }),
  );
}
