/** `beam cloud check`, `backup` and `restore`. */

import { backupFolder, checkFolder } from '../local-cloud/data-folder/commands.ts';
import { restoreBackup } from '../local-cloud/data-folder/restore.ts';
import { tell } from './command-line.ts';
import { exitCodes } from './errors.ts';

export interface CloudDataOptions {
  data: string;
  json?: boolean;
}

/** @returns the exit code */
export async function check(options: CloudDataOptions): Promise<number> {
  const report = await checkFolder(options.data);
  const { ok, read, findings, findingsLeftOut, running } = report;
  tell(options, report, () =>
    [
      `${options.data}${running ? ' (its cloud is running)' : ''}: ${Object.values(read).reduce((sum, count) => sum + count, 0)} entries read`,
      ...Object.entries(read).map(([table, count]) => `  ${table}: ${count}`),
      ...findings.map(({ place, what }) => `broken: ${place}: ${what}`),
      ...(findingsLeftOut > 0 ? [`and ${findingsLeftOut} more`] : []),
      ok
        ? 'Nothing is broken.'
        : `${findings.length + findingsLeftOut} broken. Restore a backup (beam cloud restore), or mend them by the AWS API.`,
    ].join('\n'),
  );
  return ok ? 0 : exitCodes.failed;
}

export async function backup(file: string, options: CloudDataOptions): Promise<number> {
  const { running } = await backupFolder(options.data, file);
  tell(
    options,
    { file, running },
    `${file} holds all of ${options.data}. It has the CA's key and the access key in it: keep it safe.`,
  );
  return 0;
}

export async function restore(file: string, options: CloudDataOptions): Promise<number> {
  const restored = await restoreBackup(file, options.data);
  const { at, entries, files, signRecords } = restored;
  tell(options, restored, () =>
    [
      `${options.data} is as it was at ${at}: ${entries} entries, ${files} files.`,
      ...signRecords.map(
        (key) =>
          `The sign record ${key} is behind what was signed since, so it has another id and is sealed: every signer refuses. To go on, on each server ` +
          'stop the signer and move its state away, delete the record by hand, then `beam signer enrol --import` the newest state.json on one and `beam signer join` on the others.',
      ),
    ].join('\n'),
  );
  return 0;
}
