import { expect, test } from '@jest/globals';
import {
  initialShadow,
  planShadow,
  type ShadowInput,
  type ShadowState,
  type ShadowStep,
  shadowRequestsMax,
  shadowRequestTimeoutMs,
} from './plan-shadow.ts';

/** Feeds inputs in order; each has a ms on the clock and makes tokens t0, t1, …. */
class Run {
  state: ShadowState = initialShadow;
  nowMs = 0;
  #tokens = 0;
  take(input: ShadowInput): ShadowStep[] {
    const { state, steps } = planShadow(this.state, input, this.nowMs, `t${this.#tokens++}`, 1);
    this.state = state;
    return steps;
  }
  hear(tail: string, body: object): ShadowStep[] {
    return this.take({ type: 'message', tail, body });
  }
  get token(): string {
    return this.state.request?.token ?? '';
  }
  /** Connected, and the get answered. */
  known(state: object, version: number): ShadowStep[] {
    this.take({ type: 'connected' });
    return this.hear('get/accepted', { state, version, clientToken: this.token });
  }
}

test('gets at connect, tells the desired state, then reports on the version that it knows', () => {
  const run = new Run();
  run.take({ type: 'report', reported: { role: 'standby' } });
  expect(run.take({ type: 'connected' })).toEqual([{ action: 'get', token: run.token }]);
  const steps = run.hear('get/accepted', {
    state: { desired: { role: 'active' } },
    version: 7,
    clientToken: run.token,
  });
  expect(steps).toEqual([
    { action: 'desired', desired: { role: 'active' } },
    { action: 'update', token: run.token, reported: { role: 'standby' }, version: 7 },
  ]);
  expect(run.hear('update/accepted', { version: 8, clientToken: run.token })).toEqual([]);
  expect(run.take({ type: 'report', reported: { role: 'standby' } })).toEqual([]);
});

test('no shadow yet: nothing is desired, and the first report carries no version', () => {
  const run = new Run();
  run.take({ type: 'report', reported: { role: 'sentry' } });
  run.take({ type: 'connected' });
  const steps = run.hear('get/rejected', { code: 404, message: 'No shadow exists', clientToken: run.token });
  expect(steps).toEqual([
    { action: 'desired', desired: undefined },
    { action: 'update', token: run.token, reported: { role: 'sentry' }, version: undefined },
  ]);
});

test('409: somebody wrote in between, so it looks again and reports on what is there then', () => {
  const run = new Run();
  run.known({ reported: { role: 'standby' } }, 3);
  run.take({ type: 'report', reported: { role: 'active' } });
  expect(
    run.hear('update/rejected', { code: 409, message: 'Version conflict', clientToken: run.token }),
  ).toEqual([{ action: 'get', token: run.token }]);
  const steps = run.hear('get/accepted', {
    state: { desired: { epoch: 2 }, reported: { role: 'standby' } },
    version: 5,
    clientToken: run.token,
  });
  expect(steps).toEqual([
    { action: 'desired', desired: { epoch: 2 } },
    { action: 'update', token: run.token, reported: { role: 'active' }, version: 5 },
  ]);
});

test('a delta adds to what is desired; a document says all of it, removals too; old ones say nothing', () => {
  const run = new Run();
  run.known({ desired: { role: 'standby', reason: 'x' } }, 3);
  expect(run.hear('update/delta', { state: { role: 'active' }, version: 4 })).toEqual([
    { action: 'desired', desired: { role: 'active', reason: 'x' } },
  ]);
  expect(
    run.hear('update/documents', { current: { state: { desired: { role: 'active' } }, version: 4 } }),
  ).toEqual([{ action: 'desired', desired: { role: 'active' } }]);
  expect(run.hear('update/delta', { state: { role: 'standby' }, version: 3 })).toEqual([]);
  expect(
    run.hear('update/documents', { current: { state: { desired: { role: 'standby' } }, version: 2 } }),
  ).toEqual([]);
});

test("an accepted report that overtakes another writer's document loses neither", () => {
  const run = new Run();
  run.known({ desired: { role: 'standby' }, reported: {} }, 3);
  run.take({ type: 'report', reported: { role: 'fenced' } });
  run.hear('update/accepted', { version: 5, clientToken: run.token });
  const steps = run.hear('update/documents', {
    current: { state: { desired: { role: 'active' }, reported: {} }, version: 4 },
  });
  expect(steps).toEqual([{ action: 'desired', desired: { role: 'active' } }]);
});

test("an operator's whole document, with a stale reported section, is put right", () => {
  const run = new Run();
  run.known({ reported: { role: 'active' } }, 3);
  run.take({ type: 'report', reported: { role: 'active' } });
  expect(
    run.hear('update/documents', {
      current: {
        state: { desired: { role: 'standby' }, reported: { role: 'standby', junk: 1 } },
        version: 4,
      },
    }),
  ).toEqual([
    { action: 'desired', desired: { role: 'standby' } },
    { action: 'update', token: run.token, reported: { role: 'active', junk: null }, version: 4 },
  ]);
});

test('a deleted shadow is reported anew', () => {
  const run = new Run();
  run.known({ desired: { role: 'active' }, reported: { role: 'active' } }, 3);
  run.take({ type: 'report', reported: { role: 'active' } });
  expect(run.hear('delete/accepted', { version: 3 })).toEqual([
    { action: 'desired', desired: undefined },
    { action: 'update', token: run.token, reported: { role: 'active' }, version: undefined },
  ]);
});

test("another one's answers, and answers that are none, change nothing", () => {
  const run = new Run();
  run.take({ type: 'connected' });
  const before = run.state;
  for (const body of [{ state: {}, version: 1, clientToken: 'other' }, { version: 'x' }, {}]) {
    expect(run.hear('get/accepted', body)).toEqual([]);
    expect(run.hear('get/rejected', body)).toEqual([]);
    expect(run.hear('update/documents', body)).toEqual([]);
  }
  expect(run.state).toEqual(before);
});

test('an unanswered request is made again, a refused report only after a pause that grows', () => {
  const run = new Run();
  run.take({ type: 'connected' });
  run.nowMs = shadowRequestTimeoutMs;
  expect(run.take({ type: 'tick' })).toEqual([{ action: 'get', token: run.token }]);
  run.hear('get/accepted', { state: {}, version: 1, clientToken: run.token });
  run.take({ type: 'report', reported: { a: 1 } });
  const pauses: number[] = [];
  for (let round = 0; round < 4; round += 1) {
    const steps = run.hear('update/rejected', { code: 413, message: 'too large', clientToken: run.token });
    expect(steps).toEqual([{ action: 'complain', code: 413, message: 'too large' }]);
    pauses.push(run.state.notBeforeMs - run.nowMs);
    run.nowMs = run.state.notBeforeMs;
    run.take({ type: 'tick' });
    run.hear('get/accepted', { state: {}, version: 1, clientToken: run.token });
  }
  expect(pauses).toEqual([1000, 2000, 4000, 8000]);
});

test('a report that changes all the time stays below what AWS takes of a thing, and the last one arrives', () => {
  const run = new Run();
  run.known({}, 1);
  let sent = 0;
  let version = 1;
  const answer = (steps: ShadowStep[]) => {
    for (const step of steps) {
      if (step.action !== 'update') continue;
      sent += 1;
      answer(run.hear('update/accepted', { version: ++version, clientToken: step.token }));
    }
  };
  for (let count = 0; count < 1_000; count++) {
    run.nowMs += 10;
    answer(run.take({ type: 'report', reported: { count } }));
  }
  // 10 s: what may come at once, and 5 a second. Three shadows: 15 a second of the 20.
  expect(sent).toBeGreaterThan(45);
  expect(sent).toBeLessThanOrEqual(shadowRequestsMax.atOnce + 10 * shadowRequestsMax.perSecond);
  run.nowMs += 500;
  answer(run.take({ type: 'tick' }));
  expect(run.state.known?.reported).toEqual({ count: 999 });
});

test('who was refused with 429 comes back after a time of its own, longer with each refusal', () => {
  const pauses = [0, 1].map((chance) => {
    const known = { version: 1, documentVersion: 1, desired: undefined, reported: {} };
    const request = { kind: 'get' as const, token: 't', sentAtMs: 0 };
    const body = { code: 429, message: 'Too many requests', clientToken: 't' };
    const input: ShadowInput = { type: 'message', tail: 'get/rejected', body };
    const before = { ...initialShadow, connected: true, known, request, refusals: 2 };
    return planShadow(before, input, 0, 'u', chance).state.notBeforeMs;
  });
  expect(pauses).toEqual([2_000, 4_000]);
});
