/** The one grant that this decision makes, if any, and which wishes are refused. */

import { msSince } from '../../aws/ms-since.ts';
import { wantsActive, wantsAway } from './edits.ts';
import { byPreference, type FitnessContext, fitStandbys, holderSigns, unfitness } from './fitness.ts';
import { type FleetView, kindOf, type NodeView, type Reign, type Trigger, unclaimedMsMax } from './fleet.ts';
import { voidRequest } from './requests.ts';
import { alertQuietMs, type StepOf } from './step.ts';

export interface Choice {
  grant?: {
    /** Empty: the pending grant is called back. */
    to: string;
    by: 'automatic' | 'operator';
    reason: string;
  };
  /** Things whose desired role is put back, and why. */
  refusals: Map<string, string>;
  alerts: StepOf<'alert'>[];
  explain?: string;
}

interface Question {
  fleet: FleetView;
  reign: Reign;
  trigger: Trigger;
  context: FitnessContext;
}

const nothing = (explain?: string): Choice => ({
  refusals: new Map(),
  alerts: [],
  ...(explain ? { explain } : {}),
});

export function choose(question: Question): Choice {
  const { fleet, reign, trigger, context } = question;
  const wishes = fleet.nodes.filter(
    (node) =>
      node.thing !== reign.holder &&
      node.thing !== reign.pending?.to &&
      kindOf(node) !== 'sentry' &&
      wantsActive(node, { fleet, reign, trigger, now: context.now }),
  );
  const unclaimed = unclaimedMs(fleet, reign, context.now);
  if (unclaimed !== undefined && unclaimed < unclaimedMsMax(fleet.nodes)) {
    const why = `a switch to ${reign.pending?.to} is under way: see what became of it, then try again`;
    return {
      ...nothing(trigger.kind === 'request' ? `epoch ${reign.pending?.epoch} is granted already` : undefined),
      refusals: new Map(wishes.map(({ thing }) => [thing, why])),
    };
  }
  const edited = grantWish(wishes, question);
  if (edited.grant) return edited;
  const other =
    trigger.kind === 'request'
      ? answerRequest(trigger, question)
      : reign.pending
        ? settleUnclaimed(question, unclaimed ?? 0)
        : releaseHolder(question);
  return { ...other, refusals: new Map([...edited.refusals, ...other.refusals]) };
}

/** ms since the pending grant; 0 where nobody noted it yet; undefined where nothing is pending. */
function unclaimedMs(
  { lastGrant }: FleetView,
  { pending, recordId }: Reign,
  now: number,
): number | undefined {
  if (!pending) return undefined;
  const noted = lastGrant?.recordId === recordId && lastGrant.epoch === pending.epoch;
  return noted ? msSince(lastGrant.at, now) : 0;
}

/** An operator's edit is held neither by the cool-down nor by `automaticFailover`. */
function grantWish(wishes: NodeView[], { fleet, trigger, context }: Question): Choice {
  const away = fleet.nodes.find(({ thing }) => thing === context.record.holder)?.health?.zone;
  const first = trigger.kind === 'documents' ? trigger.thing : undefined;
  const inOrder = [...wishes].sort(
    (a, b) => Number(b.thing === first) - Number(a.thing === first) || byPreference(away, undefined)(a, b),
  );
  const choice = nothing();
  for (const node of inOrder) {
    const unfit = unfitness(node, context);
    if (unfit !== undefined) choice.refusals.set(node.thing, unfit);
    else if (choice.grant) {
      choice.refusals.set(
        node.thing,
        `a switch to ${choice.grant.to} is under way: see what became of it, then try again`,
      );
    } else choice.grant = { to: node.thing, by: 'operator', reason: 'an operator set it active' };
  }
  return choice;
}

/** The holder's desired role is standby or maintenance: somebody else takes over first, or it stays. */
function releaseHolder({ fleet, reign, trigger, context }: Question): Choice {
  const holder = fleet.nodes.find(({ thing }) => thing === reign.holder);
  if (!holder || !wantsAway(holder, { fleet, reign, trigger, now: context.now })) return nothing();
  const wanted = holder.shadow?.desired?.written;
  const [best] = fitStandbys(context, [holder.thing]);
  if (best) {
    return {
      ...nothing(),
      grant: { to: best.thing, by: 'operator', reason: `an operator set ${holder.thing} to ${wanted}` },
    };
  }
  const why = `nobody else is fit to sign: ${allUnfit(context, [holder.thing])}`;
  return { ...nothing(), refusals: new Map([[holder.thing, why]]) };
}

function allUnfit(context: FitnessContext, except: readonly string[]): string {
  const reasons = context.nodes
    .filter((node) => !except.includes(node.thing) && kindOf(node) === 'validator')
    .map((node) => unfitness(node, context) ?? `${node.thing} is set to ${node.shadow?.desired?.written}`);
  return reasons.length > 0 ? reasons.join('; ') : 'there is no other validator';
}

function answerRequest(trigger: Extract<Trigger, { kind: 'request' }>, question: Question): Choice {
  const { fleet, reign, context } = question;
  const { request, receivedAt } = trigger;
  const { thing, reason } = request;
  const refused = voidRequest(request, receivedAt, reign, fleet, context.now);
  if (refused !== undefined) return nothing(`the request of ${thing} is void: ${refused}`);
  const trouble = `${reign.holder} does not sign (${reason}, says ${thing})`;
  if (!fleet.config?.automaticFailover) {
    return alerting(
      fleet,
      thing,
      `${trouble}, and automatic failover is off: switch with "beam failover ${fleet.fleet}"`,
    );
  }
  const { lastFailover } = fleet;
  const coolMs = lastFailover
    ? fleet.config.cooldownSeconds * 1000 - msSince(lastFailover.at, context.now)
    : 0;
  // A grant that nobody claimed is the same failover still, be it that it was called back.
  const unclaimed = reign.pending !== undefined || (lastFailover?.epoch ?? 0) > reign.epoch;
  if (coolMs > 0 && !unclaimed) {
    return alerting(
      fleet,
      thing,
      `${trouble}, but the last failover is not ${fleet.config.cooldownSeconds} s ago: it waits ${Math.ceil(coolMs / 1000)} s more`,
    );
  }
  const skip = reign.pending ? [reign.holder, reign.pending.to] : [reign.holder];
  const best = fitStandbys(context, skip)[0] ?? fitStandbys(context, [reign.holder])[0];
  if (!best) {
    return alerting(
      fleet,
      thing,
      `${trouble}, and nobody is fit to take over: ${allUnfit(context, [reign.holder])}`,
    );
  }
  return { ...nothing(), grant: { to: best.thing, by: 'automatic', reason: trouble } };
}

function alerting(fleet: FleetView, thing: string, text: string): Choice {
  return {
    ...nothing(text),
    alerts: [
      {
        step: 'alert',
        thing,
        kind: 'failover',
        severity: 'critical',
        text: `${fleet.fleet}: ${text}`,
        quietMs: alertQuietMs,
      },
    ],
  };
}

/** Nobody asks, and a grant is still unclaimed after three blocks. */
function settleUnclaimed({ fleet, reign, context }: Question, unclaimedMs: number): Choice {
  const { pending, holder } = reign;
  if (!pending || holder === '') return nothing();
  if (holderSigns(context)) {
    const report = context.nodes.find(({ thing }) => thing === holder)?.health;
    // From before the grant it tells nothing of now: the holder may have died, and the grant be for that.
    if (!report || msSince(report.receivedAt, context.now) >= unclaimedMs) {
      return nothing(
        `epoch ${pending.epoch} is granted to ${pending.to}; whether ${holder} signs on, its next report tells`,
      );
    }
    const why = `${pending.to} did not take the role; ${holder} signs on. Look at the signer of ${pending.to}`;
    return {
      ...nothing(),
      grant: { to: '', by: 'automatic', reason: why },
      refusals: new Map([
        [pending.to, why],
        [holder, why],
      ]),
    };
  }
  const [best] = fleet.config?.automaticFailover ? fitStandbys(context, [holder, pending.to]) : [];
  if (!best) return nothing(`epoch ${pending.epoch} is granted to ${pending.to}, which did not claim it yet`);
  return {
    ...nothing(),
    grant: { to: best.thing, by: 'automatic', reason: `${pending.to} did not claim epoch ${pending.epoch}` },
  };
}
