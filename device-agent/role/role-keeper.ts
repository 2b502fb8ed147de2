/** Runs `planRole` between the signer's control socket and the cloud. */

import type { NodeKind } from '../../protocol/names.ts';
import {
  type DesiredRole,
  desiredRole,
  type ReportedRoleState,
  reportedRoleState,
} from '../../protocol/shadows.ts';
import type { Stage } from '../../protocol/stages.ts';
import type { Clock } from '../clock.ts';
import type { Cloud } from '../cloud/cloud.ts';
import type { MessageMaker } from '../cloud/messages.ts';
import type { Section } from '../cloud/shadow-document.ts';
import type { Logger } from '../log.ts';
import {
  initialRole,
  planRole,
  type RoleExecutors,
  type RoleInput,
  type RoleMemory,
  type RoleStep,
} from './plan-role.ts';
import type { SignerLink, SignerLinkEvents } from './signer-link.ts';

/** The signer beside this pilot, as its control socket shows it. */
export type SignerSeen = Pick<
  SignerLink,
  'up' | 'downForMs' | 'session' | 'status' | 'start' | 'stop' | 'send'
>;

/** `reason` is said to the operator: whatever somebody wrote there, the role counts. */
const wish = desiredRole.omit({ reason: true });

export interface RoleKeeperOptions {
  thing: string;
  kind: NodeKind;
  /** Left out: `sign`, as in config.toml. */
  mode?: Stage;
  clock: Clock;
  log: Logger;
  messages: MessageMaker;
  /** Undefined: this server has no signer. */
  openSigner: ((events: SignerLinkEvents) => SignerSeen) | undefined;
  /** Undefined: stand-alone. */
  cloud(): Pick<Cloud, 'report' | 'reported' | 'sendNow' | 'queue'> | undefined;
  chain(): RoleInput['chain'];
  /** The role that is reported, or the signer's state, is another one. */
  onChange(): void;
}

export class RoleKeeper {
  readonly #options: RoleKeeperOptions;
  readonly #signer: SignerSeen | undefined;
  #memory: RoleMemory;
  #desired: DesiredRole | undefined;
  #desiredFault: string | undefined;
  #signerState = '';
  readonly #executors: RoleExecutors = {
    control: ({ request }) => {
      this.#options.log.info({ request }, 'told the signer');
      this.#signer?.send(request);
    },
    report: ({ state }) => {
      this.#options.log.info(state, 'role');
      this.#options.cloud()?.report('role', state);
      this.#options.onChange();
    },
    'request-role': (request) => {
      const { log, cloud, messages } = this.#options;
      log.warn(request, 'asks for the role');
      // Never queued: while its reason lasts it is made again each T, and afterwards it would be wrong.
      cloud()?.sendNow(messages.roleRequest(request));
    },
    'tell-fenced': ({ detail }) => {
      const { log, cloud, messages } = this.#options;
      log.warn({ detail }, 'fenced');
      cloud()?.queue(messages.event('fenced', `This server's signer is fenced: ${detail}`));
    },
  };

  constructor(options: RoleKeeperOptions) {
    this.#options = options;
    const { kind, clock, openSigner } = options;
    this.#memory = initialRole(kind, clock.wallMs());
    this.#signer = openSigner?.({
      onStatus: ({ state }) => {
        this.plan();
        if (state !== this.#signerState) {
          this.#signerState = state;
          options.onChange();
        }
      },
      onDown: () => this.plan(),
    });
  }

  get signer(): SignerSeen | undefined {
    return this.#signer;
  }

  get reported(): ReportedRoleState {
    return this.#memory.reported;
  }

  get desired(): DesiredRole | undefined {
    return this.#desired;
  }

  get known(): boolean {
    return this.#memory.known;
  }

  start(): void {
    this.#signer?.start();
    this.plan();
  }

  stop(): void {
    this.#signer?.stop();
  }

  /** The role shadow, as the cloud holds it. */
  take(desired: Section | undefined): void {
    const parsed = wish.safeParse(desired ?? {});
    const empty = desired === undefined || desired.role === undefined;
    this.#desired = parsed.success ? parsed.data : undefined;
    this.#desiredFault = parsed.success || empty ? undefined : faultOf(parsed.error.issues);
    this.#keepSince();
    this.plan();
  }

  /** The node committed `height`. */
  committed(height: number): void {
    this.#signer?.send({ type: 'commit', height });
    this.plan();
  }

  plan(): void {
    const { thing, kind, mode = 'sign', clock, chain } = this.#options;
    const signer = this.#signer && {
      up: this.#signer.up,
      downForMs: this.#signer.downForMs,
      session: this.#signer.session,
      status: this.#signer.status,
    };
    const { steps, memory } = planRole(
      {
        thing,
        kind,
        mode,
        desired: this.#desired,
        desiredFault: this.#desiredFault,
        signer,
        chain: chain(),
        now: { monotonicMs: clock.monotonicMs(), wallMs: clock.wallMs() },
      },
      this.#memory,
    );
    this.#memory = memory;
    for (const step of steps) this.#execute(step);
  }

  /** A pilot that was started again holds the same role for as long as before. */
  #keepSince(): void {
    const before = reportedRoleState.safeParse(this.#options.cloud()?.reported('role'));
    const { reported } = this.#memory;
    if (!before.success || before.data.role !== reported.role || before.data.epoch !== reported.epoch) return;
    if (before.data.since >= reported.since) return;
    this.#memory = { ...this.#memory, reported: { ...reported, since: before.data.since } };
    if (this.#memory.known) this.#options.cloud()?.report('role', this.#memory.reported);
  }

  #execute(step: RoleStep): void {
    const executor = this.#executors[step.action] as (step: RoleStep) => void;
    const { action: _, ...rest } = step;
    executor(rest as RoleStep);
  }
}

function faultOf(issues: readonly { path: PropertyKey[]; message: string }[]): string {
  return issues
    .map(({ path, message }) => `${path.map(String).join('.') || 'desired'}: ${message}`)
    .join('; ');
}
