/** Makes a schedule that goes wrong small: fewer faults, fewer kinds of trouble, still wrong in the same way. */

import type { Fault, Mix, Schedule } from './schedule.ts';

/** Replays of one shrinking. */
export const replaysMax = 250;

/** @param isWrong replays a schedule, and says whether it still goes wrong */
export async function shrink(
  schedule: Schedule,
  isWrong: (tried: Schedule) => Promise<boolean>,
): Promise<Schedule> {
  let small = schedule;
  let replays = 0;
  const attempt = async (tried: Schedule): Promise<boolean> => {
    if (replays >= replaysMax) return false;
    replays += 1;
    if (!(await isWrong(tried))) return false;
    small = tried;
    return true;
  };
  for (
    let part = Math.ceil(small.faults.length / 2);
    part >= 1;
    part = part === 1 ? 0 : Math.ceil(part / 2)
  ) {
    for (let from = 0; from < small.faults.length; ) {
      const faults: Fault[] = small.faults.toSpliced(from, part);
      if (!(await attempt({ ...small, faults }))) from += part;
    }
  }
  for (const mix of calmer(small.mix)) await attempt({ ...small, mix: { ...small.mix, ...mix } });
  return small;
}

function* calmer(mix: Mix): Generator<Partial<Mix>> {
  for (const group of ['chain', 'node', 'network', 'lambda'] as const) {
    const rates = Object.entries(mix[group]).filter(
      ([name, rate]) => rate > 0 && rate <= 1 && name !== 'validators',
    );
    for (const [name] of rates) yield { [group]: { ...mix[group], [name]: 0 } };
  }
  for (const name of ['throttled', 'failing', 'dies', 'drift'] as const)
    if (mix[name] > 0) yield { [name]: 0 };
  if (mix.extensions) yield { extensions: false };
}
