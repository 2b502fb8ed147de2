/** The work of `beam signer import`. */

import { showPosition } from '../protocol/sign-position.ts';
import type { EnrolPlan } from '../signer/enrol.ts';
import { type Found, importKey } from '../signer/import/import.ts';
import { say, tell } from './command-line.ts';
import { onInterrupt } from './interrupt.ts';
import type { ImportOptions } from './options.ts';
import { homeOf } from './run-server.ts';
import { askedToEnrol, describePlan, mayAsk, saysYes, tellProgress } from './run-signer.ts';

export async function importFormer(options: ImportOptions): Promise<number> {
  const { dryRun = false, yes = false } = options;
  mayAsk(options, 'an import');
  const interrupt = onInterrupt(() => {});
  let found: Found | undefined;
  let planned: EnrolPlan | undefined;
  try {
    const plan = await importKey({
      home: homeOf(options),
      from: options.from,
      keys: options.key,
      states: options.state ?? [],
      withoutState: options.withoutState === true,
      guard: options.guard,
      chainNotStarted: options.chainNotStarted === true,
      dryRun,
      onProgress: tellProgress,
      take: async (what) => {
        found = what;
        say(describeFound(what));
        return yes || dryRun || (await saysYes('Take this key? Its former signer must be stopped for ever.'));
      },
      confirm: async (plan) => {
        planned = plan;
        if (dryRun) return false;
        return yes || (await askedToEnrol(plan));
      },
      signal: interrupt.signal,
    });
    tell(options, { imported: true, found, ...plan }, () => `imported and enrolled:\n${describePlan(plan)}`);
    if (found) warnOfCopies(found);
    return 0;
  } catch (error) {
    if (!dryRun || !planned) throw error;
    const would = planned;
    tell(
      options,
      { imported: false, dryRun, found, ...would },
      () => `would import and enrol:\n${describePlan(would)}`,
    );
    return 0;
  } finally {
    interrupt.release();
  }
}

function describeFound({ address, chainId, form, keys, states, keyFile, placed }: Found): string {
  const octal = (mode: number) =>
    `mode ${mode.toString(8).padStart(4, '0')}${mode & 0o077 ? ': OTHERS THAN ITS OWNER CAN READ IT' : ''}`;
  return [
    `  key      ${address} on ${chainId}${form === 'expanded' ? ', without its seed: priv_validator_key.json can never hold it again' : ''}`,
    ...keys.map(({ path, mode }) => `  from     ${path} (${octal(mode)})`),
    ...(states.length === 0 ? ['  state    none: the chain alone sets the floor'] : []),
    ...states.map(
      ({ path, position, by, mode }) =>
        `  state    ${showPosition(position)} in ${path} (${by}, mode ${mode.toString(8).padStart(4, '0')})`,
    ),
    `  to       ${keyFile}${placed ? ', where it is already' : ''}`,
  ].join('\n');
}

function warnOfCopies({ keys, keyFile }: Found): void {
  const others = keys.map(({ path }) => path).filter((path) => path !== keyFile);
  if (others.length === 0) return;
  say(
    `${others.join(' and ')} still hold${others.length === 1 ? 's' : ''} the key: take every copy away from every machine that runs a signer`,
  );
}
