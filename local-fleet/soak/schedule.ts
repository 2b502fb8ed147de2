/** Which faults a soak does, when and to whom: decided by its seed alone. Pure. */

/** How often a kind comes in a deck; each deck holds every kind, so a short soak meets them all. */
const deck = {
  'kill-signer': 3,
  'kill-pilot': 2,
  'kill-gaiad': 3,
  'kill-host': 3,
  'kill-cloud': 2,
  'freeze-signer': 2,
  'freeze-host': 2,
  'freeze-cloud': 1,
  'cut-cloud': 3,
  'cut-p2p': 2,
  'restart-nodes': 1,
  clone: 1,
  'record-deleted': 1,
  'record-older': 1,
  'record-remade': 1,
} as const;
export type FaultKind = keyof typeof deck;
export const faultKinds = Object.keys(deck) as FaultKind[];

/** What an administrator does to the record, and a clone: each has its own story, so it comes alone. */
const alone: readonly FaultKind[] = ['clone', 'record-deleted', 'record-older', 'record-remade'];

export interface PlannedFault {
  kind: FaultKind;
  /** `active`: whoever holds the role at that moment; `standby`: another one. */
  target: 'active' | 'standby';
  /** From the step's beginning. */
  afterSeconds: number;
  /** How long what lasts lasts. */
  seconds: number;
  /** What of a network is cut, seen from the server. */
  direction: 'both' | 'out' | 'in';
  /** Of a clone: whether its node has an identity of its own, so that it follows the chain beside the original's. */
  ownNodeKey: boolean;
}

export interface Step {
  index: number;
  /** The kinds in a step differ. More than one: they overlap. */
  faults: PlannedFault[];
}

/** Of a step: several short faults at once. */
const overlapChance = 0.3;
const overlapFaultsMax = 3;
const overlapSecondsMax = 6;
const activeChance = 0.7;
/** Faults come at any moment of a block. */
const afterSecondsMax = 2;

/** s, shortest and longest; the times between are spread evenly over their logarithms. */
const lasts: Partial<Record<FaultKind, readonly [number, number]>> = {
  'kill-host': [0.5, 15],
  'freeze-signer': [1, 60],
  'freeze-host': [1, 60],
  'freeze-cloud': [1, 60],
  'cut-cloud': [0.5, 30],
  'cut-p2p': [0.5, 30],
  clone: [10, 20],
};

/** mulberry32. @returns numbers in [0, 1) */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Steps without end; the same for the same seed. */
export function* soakSteps(seed: number): Generator<Step, never> {
  const random = seededRandom(seed);
  let cards: FaultKind[] = [];
  for (let index = 0; ; index += 1) {
    if (cards.length === 0) cards = shuffled(random);
    const [first] = cards.splice(0, 1);
    if (first === undefined) throw new Error('an empty deck');
    const faults = [plan(first, random)];
    if (!alone.includes(first) && random() < overlapChance) {
      const more = 1 + Math.floor(random() * (overlapFaultsMax - 1));
      for (let added = 0; added < more; added += 1) {
        const at = cards.findIndex(
          (kind) => !alone.includes(kind) && faults.every((fault) => fault.kind !== kind),
        );
        const [kind] = at < 0 ? [] : cards.splice(at, 1);
        if (kind !== undefined) faults.push(plan(kind, random));
      }
      for (const fault of faults) fault.seconds = Math.min(fault.seconds, overlapSecondsMax);
    }
    yield { index, faults };
  }
}

function plan(kind: FaultKind, random: () => number): PlannedFault {
  const [least, most] = lasts[kind] ?? [0, 0];
  const span = least === 0 ? 0 : least * (most / least) ** random();
  const directions = ['both', 'both', 'out', 'in'] as const;
  return {
    kind,
    target: random() < activeChance ? 'active' : 'standby',
    afterSeconds: Math.round(random() * afterSecondsMax * 1000) / 1000,
    seconds: Math.round(span * 1000) / 1000,
    direction: directions[Math.floor(random() * directions.length)] ?? 'both',
    ownNodeKey: random() < 0.5,
  };
}

function shuffled(random: () => number): FaultKind[] {
  const cards = faultKinds.flatMap((kind) => Array<FaultKind>(deck[kind]).fill(kind));
  for (let last = cards.length - 1; last > 0; last -= 1) {
    const other = Math.floor(random() * (last + 1));
    const [a, b] = [cards[last], cards[other]];
    if (a !== undefined && b !== undefined) [cards[last], cards[other]] = [b, a];
  }
  return cards;
}

export function describeFault({ kind, target, seconds, direction, ownNodeKey }: PlannedFault): string {
  const lasting = seconds > 0 ? ` for ${seconds} s` : '';
  if (kind.startsWith('record-') || kind === 'restart-nodes') return kind;
  if (kind.endsWith('-cloud') && kind !== 'cut-cloud') return `${kind}${lasting}`;
  const how = kind.startsWith('cut-')
    ? ` (${direction})`
    : kind === 'clone' && ownNodeKey
      ? ' (own node key)'
      : '';
  return `${kind}${how} of the ${target}${lasting}`;
}
