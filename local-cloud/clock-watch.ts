/**
 * Tells of a clock that jumps, or that stood further on at an earlier start: what goes by the clock (signatures of requests, certificates,
 * what is kept for a time) then misbehaves for no other visible reason.
 */

/** Below it a step is NTP at its work, or a machine that was busy. */
const stepMsMin = 5_000;
const behindMsMin = 60_000;

export interface ClockWatchOptions {
  wallMs(): number;
  /** Never goes back, and stands still while the machine sleeps or runs on: no jump either way. */
  monotonicMs(): number;
  log: { warn(details: object, message: string): void };
}

export interface ClockWatch {
  /** To be called now and then: a jump is told once. */
  look(): void;
  /** The time since the start by the monotonic clock, on top of the wall clock's at the start: no jump shows in it. */
  steadyMs(): number;
}

/** @param lastSeenMs the wall clock when this data folder was used last */
export function createClockWatch(options: ClockWatchOptions, lastSeenMs: number | undefined): ClockWatch {
  const { wallMs, monotonicMs, log } = options;
  const start = { wallMs: wallMs(), monotonicMs: monotonicMs() };
  const steadyMs = () => start.wallMs + monotonicMs() - start.monotonicMs;
  const time = (ms: number) => new Date(ms).toISOString();
  if (lastSeenMs !== undefined && start.wallMs < lastSeenMs - behindMsMin) {
    log.warn(
      { now: time(start.wallMs), lastSeen: time(lastSeenMs) },
      "the machine's clock is behind the time at which this data folder was used last: clients whose clocks are right are refused " +
        '(SignatureDoesNotMatch, certificates not yet valid) until it is set; nothing is lost',
    );
  }
  let offsetMs = 0;
  return {
    steadyMs,
    look() {
      const now = wallMs();
      const jumpMs = now - steadyMs() - offsetMs;
      if (Math.abs(jumpMs) < stepMsMin) return;
      offsetMs += jumpMs;
      log.warn(
        { jumpSeconds: Math.round(jumpMs / 1000), from: time(now - jumpMs), to: time(now) },
        "the machine's clock jumped: requests signed by another time than this one are refused by more than 5 minutes' difference; nothing is lost",
      );
    },
  };
}
