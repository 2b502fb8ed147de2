/**
 * One named shadow as the pilot keeps up with it: a pure core. Get at each connect, deltas and documents in between,
 * reports that carry the version they were made on (409: get again), one request under way at a time.
 */

import {
  deleteAccepted,
  deltaMessage,
  documentsMessage,
  getAccepted,
  mergeSection,
  rejectedAnswer,
  type Section,
  sectionChange,
  updateAccepted,
} from './shadow-document.ts';

/** What the cloud holds, as last heard. `version` is undefined where there is no shadow. */
interface Known {
  version: number | undefined;
  /** Of the last whole document: an accepted report says nothing of desired, so it doesn't count. */
  documentVersion: number;
  desired: Section | undefined;
  reported: Section;
}

interface Request {
  kind: 'get' | 'update';
  token: string;
  /** Monotonic ms. */
  sentAtMs: number;
  change?: Section;
}

export interface ShadowState {
  connected: boolean;
  known: Known | undefined;
  request: Request | undefined;
  /** What the pilot wants reported; undefined: nothing yet. */
  wanted: Section | undefined;
  /** No request before this (monotonic ms): after a refusal. */
  notBeforeMs: number;
  /** Refusals in a row. */
  refusals: number;
  /** Requests that may be made at once, and when (monotonic ms) that was so. */
  budget: { requests: number; atMs: number };
}

export interface ShadowStepArguments {
  get: { token: string };
  update: { token: string; reported: Section; version: number | undefined };
  /** The desired state is known anew: undefined where there is none. */
  desired: { desired: Section | undefined };
  /** The cloud refused a report for another reason than its version. */
  complain: { code: number; message: string };
}
export type ShadowStep = {
  [Name in keyof ShadowStepArguments]: { action: Name } & ShadowStepArguments[Name];
}[keyof ShadowStepArguments];
export type ShadowExecutors = {
  [Name in keyof ShadowStepArguments]: (step: ShadowStepArguments[Name]) => void;
};

export const shadowRequestTimeoutMs = 5_000;
/**
 * AWS takes 20 shadow requests a second for a thing, which has three shadows here; what is above it is refused with 429.
 * (AWS IoT Device Management endpoints and quotas, "Device Shadow".)
 */
export const shadowRequestsMax = { atOnce: 6, perSecond: 5 } as const;
const refusalPauseMs = 1_000;
const refusalPauseMsMax = 30_000;

export const initialShadow: ShadowState = {
  connected: false,
  known: undefined,
  request: undefined,
  wanted: undefined,
  notBeforeMs: 0,
  refusals: 0,
  budget: { requests: shadowRequestsMax.atOnce, atMs: 0 },
};

export type ShadowInput =
  | { type: 'connected' }
  | { type: 'disconnected' }
  | { type: 'report'; reported: Section }
  /** `tail` as in `get/accepted`; `body` as parsed from JSON. */
  | { type: 'message'; tail: string; body: unknown }
  | { type: 'tick' };

export interface ShadowResult {
  state: ShadowState;
  steps: ShadowStep[];
}

/**
 * @param token a fresh clientToken, used where a request is made.
 * @param chance from 0 to 1: how much of a pause after a refusal is waited for, so that a fleet that was refused at once does not
 *   come back at once.
 */
export function planShadow(
  before: ShadowState,
  input: ShadowInput,
  nowMs: number,
  token: string,
  chance: number,
): ShadowResult {
  const { state, steps } = take(before, input, nowMs, chance);
  const request = nextRequest(state, nowMs, token);
  if (!request) return { state, steps };
  const budget = { requests: requestsNow(state, nowMs) - 1, atMs: nowMs };
  return { state: { ...state, request: request.pending, budget }, steps: [...steps, request.step] };
}

function requestsNow({ budget }: ShadowState, nowMs: number): number {
  const { atOnce, perSecond } = shadowRequestsMax;
  return Math.min(atOnce, budget.requests + ((nowMs - budget.atMs) / 1000) * perSecond);
}

function take(state: ShadowState, input: ShadowInput, nowMs: number, chance: number): ShadowResult {
  switch (input.type) {
    case 'connected':
      // What was known may be old by now: it counts again when the get is answered.
      return {
        state: {
          ...state,
          connected: true,
          known: undefined,
          request: undefined,
          notBeforeMs: 0,
          refusals: 0,
        },
        steps: [],
      };
    case 'disconnected':
      return { state: { ...state, connected: false, request: undefined }, steps: [] };
    case 'report':
      return { state: { ...state, wanted: input.reported, notBeforeMs: 0 }, steps: [] };
    case 'message':
      return hear(state, input.tail, input.body, nowMs, chance);
    case 'tick': {
      const late = state.request && nowMs - state.request.sentAtMs >= shadowRequestTimeoutMs;
      // Lost or answered elsewhere: what the cloud holds is not known any more.
      return { state: late ? { ...state, request: undefined, known: undefined } : state, steps: [] };
    }
  }
}

function nextRequest(
  state: ShadowState,
  nowMs: number,
  token: string,
): { pending: Request; step: ShadowStep } | undefined {
  if (!state.connected || state.request || nowMs < state.notBeforeMs) return undefined;
  // The next tick looks again.
  if (requestsNow(state, nowMs) < 1) return undefined;
  if (!state.known) {
    return { pending: { kind: 'get', token, sentAtMs: nowMs }, step: { action: 'get', token } };
  }
  const change = state.wanted && sectionChange(state.known.reported, state.wanted);
  if (!change) return undefined;
  return {
    pending: { kind: 'update', token, sentAtMs: nowMs, change },
    step: { action: 'update', token, reported: change, version: state.known.version },
  };
}

function hear(state: ShadowState, tail: string, body: unknown, nowMs: number, chance: number): ShadowResult {
  const unchanged = { state, steps: [] };
  switch (tail) {
    case 'get/accepted': {
      const heard = getAccepted.safeParse(body);
      if (!heard.success || heard.data.clientToken !== state.request?.token) return unchanged;
      const { state: sections, version } = heard.data;
      return adopt({ ...state, request: undefined }, sections, version);
    }
    case 'update/documents': {
      const heard = documentsMessage.safeParse(body);
      if (!heard.success) return unchanged;
      const { state: sections, version } = heard.data.current;
      if (state.known && version <= state.known.documentVersion) return unchanged;
      return adopt(state, sections, version);
    }
    case 'update/delta': {
      const heard = deltaMessage.safeParse(body);
      if (!heard.success || !state.known || heard.data.version <= state.known.documentVersion)
        return unchanged;
      const desired = mergeSection(state.known.desired ?? {}, heard.data.state);
      const known = { ...state.known, desired, version: heard.data.version };
      return {
        state: { ...state, known },
        steps: sectionChange(state.known.desired ?? {}, desired) ? [{ action: 'desired', desired }] : [],
      };
    }
    case 'update/accepted': {
      const heard = updateAccepted.safeParse(body);
      const { request, known } = state;
      if (!heard.success || !request?.change || heard.data.clientToken !== request.token) return unchanged;
      const { version } = heard.data;
      if (!known) return { state: { ...state, request: undefined }, steps: [] };
      const reported = mergeSection(known.reported, request.change);
      return {
        state: { ...state, request: undefined, refusals: 0, known: { ...known, reported, version } },
        steps: [],
      };
    }
    case 'delete/accepted': {
      if (!deleteAccepted.safeParse(body).success) return unchanged;
      const known = { version: undefined, documentVersion: -1, desired: undefined, reported: {} };
      return {
        state: { ...state, known, request: undefined },
        steps: [{ action: 'desired', desired: undefined }],
      };
    }
    case 'get/rejected':
    case 'update/rejected': {
      const heard = rejectedAnswer.safeParse(body);
      if (!heard.success || !state.request || heard.data.clientToken !== state.request.token)
        return unchanged;
      return refused(state, state.request, heard.data, nowMs, chance);
    }
    default:
      return unchanged;
  }
}

function adopt(
  state: ShadowState,
  sections:
    | { desired?: Section | null | undefined; reported?: Section | null | undefined }
    | null
    | undefined,
  version: number,
): ShadowResult {
  const desired = sections?.desired ?? undefined;
  const former = state.known;
  // An accepted report of ours may overtake the document before it: its version and what we reported stand.
  const overtaken = former?.version !== undefined && former.version > version;
  const known: Known = overtaken
    ? { ...former, documentVersion: version, desired }
    : { version, documentVersion: version, desired, reported: sections?.reported ?? {} };
  const same =
    former !== undefined &&
    (former.desired === undefined) === (desired === undefined) &&
    !sectionChange(former.desired ?? {}, desired ?? {});
  return { state: { ...state, known }, steps: same ? [] : [{ action: 'desired', desired }] };
}

function refused(
  state: ShadowState,
  request: Request,
  { code, message }: { code: number; message: string },
  nowMs: number,
  chance: number,
): ShadowResult {
  if (request.kind === 'get' && code === 404) {
    const known = { version: undefined, documentVersion: -1, desired: undefined, reported: {} };
    return {
      state: { ...state, request: undefined, known },
      steps: [{ action: 'desired', desired: undefined }],
    };
  }
  // 409: somebody wrote in between. Anything else may pass as well: look again, each time later.
  const refusals = state.refusals + 1;
  const pauseMsMax = Math.min(refusalPauseMsMax, refusalPauseMs * 2 ** (refusals - 1));
  const pauseMs = code === 409 && refusals === 1 ? 0 : (pauseMsMax / 2) * (1 + chance);
  return {
    state: { ...state, request: undefined, known: undefined, refusals, notBeforeMs: nowMs + pauseMs },
    steps: code === 409 ? [] : [{ action: 'complain', code, message }],
  };
}
