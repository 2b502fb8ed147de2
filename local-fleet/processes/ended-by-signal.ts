/** Commands that run whole fleets: the first signal ends them in good order, the second at once. */

/**
 * @param killNow what ends every process that was started; called before the second signal ends this one
 * @returns aborted by the first signal, with a reason that names it
 */
export function endedBySignal(killNow: () => void = () => {}): AbortSignal {
  const ended = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      if (!ended.signal.aborted) return ended.abort(new Error(`ended by ${name}`));
      killNow();
      process.exit(130);
    });
  }
  return ended.signal;
}
