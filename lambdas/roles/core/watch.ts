/** What the sweep tells of a fleet beside its roles: who is silent, and whether a failover would find anybody. */

import { msSince } from '../../aws/ms-since.ts';
import { type FitnessContext, fitStandbys, isSilent, unfitness } from './fitness.ts';
import { kindOf, type NodeView } from './fleet.ts';
import { alertQuietMs, type Step } from './step.ts';

/** Presence events come out of order: a disconnect counts when the node stayed away this long. */
const awayMsMin = 30_000;

export function silentNodes(
  fleet: string,
  nodes: readonly NodeView[],
  holder: string | undefined,
  now: number,
): Step[] {
  return nodes.flatMap((node): Step[] => {
    const { thing, health } = node;
    if (!health) return [];
    const ageMs = msSince(health.receivedAt, now);
    if (!isSilent(node, now) && (health.connected || ageMs < awayMsMin)) return [];
    return [
      {
        step: 'alert',
        thing,
        kind: 'offline',
        severity: thing === holder ? 'critical' : 'warning',
        text: `${fleet}: nothing heard of ${thing} ${since(ageMs)}: look at its pilot and its network`,
        quietMs: alertQuietMs,
      },
    ];
  });
}

function since(ageMs: number): string {
  return Number.isFinite(ageMs) ? `for ${Math.round(ageMs / 1000)} s` : 'since a clock was set back';
}

/** A fleet with standbys of which none could take over. */
export function noStandby(fleet: string, context: FitnessContext): Step[] {
  const { holder } = context.record;
  if (holder === '') return [];
  const others = context.nodes.filter((node) => node.thing !== holder && kindOf(node) === 'validator');
  if (others.length === 0 || fitStandbys(context, [holder]).length > 0) return [];
  const reasons = others.map((node) => unfitness(node, context) ?? `${node.thing} is set to maintenance`);
  return [
    {
      step: 'alert',
      thing: holder,
      kind: 'failover',
      severity: 'warning',
      text: `${fleet}: nobody could take over from ${holder}: ${reasons.join('; ')}`.slice(0, 1000),
      quietMs: alertQuietMs,
    },
  ];
}
