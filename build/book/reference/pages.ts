/** The pages of the reference that are written from the code. */

import { cloudPage } from './cloud.ts';
import { commandsPage } from './commands.ts';
import { configurationPage } from './configuration.ts';
import { messagesPage } from './messages.ts';
import { shadowsPage, tablesPage } from './shadows.ts';
import { signerPage } from './signer.ts';

/** By path in the repository. */
export function referencePages(root: string): Record<string, string> {
  return {
    'docs/reference/commands.md': commandsPage(root),
    'docs/reference/configuration.md': configurationPage(root),
    'docs/reference/shadows.md': shadowsPage(root),
    'docs/reference/messages.md': messagesPage(root),
    'docs/reference/cloud.md': cloudPage(root),
    'docs/reference/tables.md': tablesPage(root),
    'docs/reference/signer.md': signerPage(root),
  };
}
