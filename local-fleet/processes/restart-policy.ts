/** When a process that died is started again: as systemd with `Restart=always`, at once the first time. */

export interface Ended {
  /** ms it had run. */
  ranMs: number;
  /** How often in a row it was started again before, without a steady run between. */
  restarts: number;
}

/** A run of this length shows that the process can live: what dies after it is started at once again. */
export const steadyRunMs = 10_000;
const delaysMs = [0, 500, 1_000, 2_000, 5_000] as const;
export const restartDelayMsMax = 10_000;

export function planRestart({ ranMs, restarts }: Ended): { delayMs: number; restarts: number } {
  const inARow = ranMs >= steadyRunMs ? 0 : restarts;
  return { delayMs: delaysMs[inARow] ?? restartDelayMsMax, restarts: inARow + 1 };
}
