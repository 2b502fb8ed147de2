import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { overlayHash } from '../../../protocol/overlay-hash.ts';
import { type Overlay, overlay, type ReportedStatus } from '../../../protocol/shadows.ts';
import { parseEvent } from '../events.ts';
import { derivePeers, type KnownNode } from './derive.ts';
import { type PeerNode, type PeersStep, type PeersView, planPeers } from './plan.ts';

const now = 1_000_000_000;
const idOf = (letter: string) => letter.repeat(40);
const status = (
  letter: string,
  kind: 'validator' | 'sentry',
  some: Partial<ReportedStatus> = {},
): ReportedStatus => ({
  nodeId: idOf(letter),
  p2p: `host-${letter}:26656`,
  rpc: 'http://127.0.0.1:26657',
  kind,
  chainId: 'beam-1',
  versions: { beam: '0', node: 'v20', chain: '1' },
  catchingUp: false,
  ...some,
});

/** A server before its gaiad ever ran. */
function fresh(letter: string, kind: 'validator' | 'sentry', some: Partial<PeerNode> = {}): PeerNode {
  const none = overlayHash({});
  return {
    thing: `demo_${letter}`,
    status: status(letter, kind, { outsidePeers: [`${idOf('9')}@out:1`], catchingUp: true }),
    knownSince: now / 1000 - 1,
    gaiad: {
      version: 1,
      config: undefined,
      reported: { overlay: none, lastGood: none, state: 'starting', rejected: [] },
    },
    active: false,
    reachable: true,
    ...some,
  };
}

const view = (nodes: PeerNode[], some: Partial<PeersView> = {}): PeersView => ({
  fleet: 'demo',
  nodes,
  automaticFailover: true,
  sinceGrantMs: undefined,
  ...some,
});

/** The node's pilot took its overlay over, and gaiad runs with it. */
function running(node: PeerNode): PeerNode {
  const config = (node.gaiad?.config ?? {}) as Overlay;
  const hash = overlayHash(config);
  return {
    ...node,
    gaiad: {
      version: 2,
      config,
      reported: { overlay: hash, lastGood: hash, state: 'running', rejected: [] },
    },
  };
}

function written(nodes: PeerNode[], steps: PeersStep[]): PeerNode[] {
  return nodes.map((node) => {
    const step = steps.find((one) => one.step === 'writePeers' && one.thing === node.thing);
    if (step?.step !== 'writePeers') return node;
    const config = overlay.parse({ 'config.toml': { p2p: { ...step.part } } });
    return { ...node, gaiad: { version: 2, reported: node.gaiad?.reported, config } };
  });
}

const toldThings = (steps: PeersStep[]) =>
  steps.flatMap((step) => (step.step === 'writePeers' ? [step.thing] : []));
const switches = (steps: PeersStep[]) =>
  steps.flatMap((step) => (step.step === 'requestSwitch' ? [step.to] : []));

const four = () => [
  fresh('a', 'validator'),
  fresh('b', 'validator'),
  fresh('c', 'sentry'),
  fresh('d', 'sentry'),
];
/** The fleet of four, with its peers in force, `a` active. */
function settled(): PeerNode[] {
  const nodes = four();
  return written(nodes, planPeers(view(nodes), false, now))
    .map(running)
    .map((node) => (node.thing === 'demo_a' ? { ...node, active: true } : node));
}
/** A node moved: everybody who names it needs new peers. */
const moved = (nodes: PeerNode[], thing: string) =>
  nodes.map((node) =>
    node.thing === thing && node.status ? { ...node, status: { ...node.status, p2p: 'elsewhere:1' } } : node,
  );

describe('what each node dials', () => {
  const known = (nodes: PeerNode[]): KnownNode[] =>
    nodes.flatMap(({ thing, status: of }) => (of ? [{ thing, status: of }] : []));

  test('validators: the sentries alone; sentries: the validators, and their own way out', () => {
    const parts = derivePeers(known(four()));
    const at = (letter: string) => `${idOf(letter)}@host-${letter}:26656`;
    const validators = `${idOf('a')},${idOf('b')}`;
    expect(parts.get('demo_a')).toEqual({
      pex: false,
      addr_book_strict: false,
      persistent_peers: `${at('c')},${at('d')}`,
    });
    expect(parts.get('demo_c')).toEqual({
      pex: true,
      addr_book_strict: false,
      private_peer_ids: validators,
      unconditional_peer_ids: validators,
      persistent_peers: `${at('a')},${at('b')},${idOf('9')}@out:1`,
    });
  });

  test('a sentry whose own peers are not reported keeps them', () => {
    const nodes = [fresh('a', 'validator'), fresh('c', 'sentry', { status: status('c', 'sentry') })];
    expect(derivePeers(known(nodes)).get('demo_c')).not.toHaveProperty('persistent_peers');
  });

  test('without sentries, peers are the operator’s', () => {
    expect(planPeers(view([fresh('a', 'validator'), fresh('b', 'validator')]), true, now)).toEqual([]);
  });

  test('the order in which nodes are read changes nothing', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(known(four()), { minLength: 4, maxLength: 4 }), (nodes) => {
        const sorted = (map: Map<string, unknown>) => [...map.entries()].sort();
        expect(sorted(derivePeers(nodes))).toEqual(sorted(derivePeers(known(four()))));
      }),
    );
  });

  test('an overlay of a hundred servers still fits', () => {
    const many = Array.from({ length: 100 }, (_, n) => ({
      thing: `demo_${n}`,
      status: { ...status('a', n < 50 ? 'validator' : 'sentry'), nodeId: n.toString(16).padStart(40, '0') },
    }));
    for (const part of derivePeers(many).values()) {
      const bytes = JSON.stringify({ config: { 'config.toml': { p2p: part } } }).length;
      expect(bytes).toBeLessThan(6000);
    }
  });
});

describe('the first start', () => {
  test('waits until everybody reported, then all get their peers at once', () => {
    const nodes = four();
    const some = nodes.map((node) => (node.thing === 'demo_d' ? { ...node, status: undefined } : node));
    expect(planPeers(view(some), false, now).map(({ step }) => step)).toEqual(['explain']);
    expect(planPeers(view(some), true, now).map(({ step }) => step)).toEqual(['explain']);
    expect(toldThings(planPeers(view(nodes), false, now))).toEqual(['demo_c', 'demo_d', 'demo_a', 'demo_b']);
  });

  test('does not wait for ever', () => {
    const some = four().map((node) => ({
      ...node,
      knownSince: now / 1000 - 31,
      ...(node.thing === 'demo_d' ? { status: undefined } : {}),
    }));
    expect(toldThings(planPeers(view(some), true, now))).toEqual(['demo_c', 'demo_a', 'demo_b']);
  });

  test('then nothing more is to do', () => {
    expect(planPeers(view(settled()), true, now)).toEqual([]);
  });
});

describe('a change rolls out one node at a time', () => {
  test('sentries first, each healthy before the next', () => {
    let nodes = moved(settled(), 'demo_b');
    expect(toldThings(planPeers(view(nodes), true, now))).toEqual(['demo_c']);
    nodes = written(nodes, planPeers(view(nodes), true, now));
    expect(toldThings(planPeers(view(nodes), true, now))).toEqual([]);
    nodes = nodes.map((node) => (node.thing === 'demo_c' ? running(node) : node));
    expect(toldThings(planPeers(view(nodes), true, now))).toEqual(['demo_d']);
  });

  test('it stops at the first that rejects', () => {
    let nodes = moved(settled(), 'demo_b');
    nodes = written(nodes, planPeers(view(nodes), true, now)).map((node) => {
      if (node.thing !== 'demo_c' || !node.gaiad?.reported) return node;
      const rejected = [{ path: 'config.toml.p2p.persistent_peers', value: null, reason: 'no' }];
      return { ...node, gaiad: { ...node.gaiad, reported: { ...node.gaiad.reported, rejected } } };
    });
    expect(planPeers(view(nodes), true, now)).toEqual([
      {
        step: 'explain',
        text: expect.stringContaining('demo_c rejected config.toml.p2p.persistent_peers: no'),
      },
    ]);
  });

  test('the active one last, after a switch that the sweep asks for', () => {
    let nodes = moved(settled(), 'demo_c');
    expect(toldThings(planPeers(view(nodes), true, now))).toEqual(['demo_b']);
    nodes = written(nodes, planPeers(view(nodes), true, now));
    expect(switches(planPeers(view(nodes), true, now))).toEqual([]);
    nodes = nodes.map(running);
    expect(switches(planPeers(view(nodes), false, now))).toEqual([]);
    expect(switches(planPeers(view(nodes, { automaticFailover: false }), true, now))).toEqual([]);
    expect(switches(planPeers(view(nodes, { sinceGrantMs: 60_000 }), true, now))).toEqual([]);
    const steps = planPeers(view(nodes), true, now);
    expect([switches(steps), toldThings(steps)]).toEqual([['demo_b'], []]);
    nodes = nodes.map((node) => ({ ...node, active: node.thing === 'demo_b' }));
    expect(toldThings(planPeers(view(nodes), true, now))).toEqual(['demo_a']);
  });

  test('a server that is away is not waited for, nor one that is stopped', () => {
    const nodes = moved(settled(), 'demo_b').map((node) =>
      node.thing === 'demo_c' ? { ...node, reachable: false } : node,
    );
    expect(toldThings(planPeers(view(nodes), true, now))).toEqual(['demo_c', 'demo_d']);
  });

  test('an active one that is away is left alone: it may sign on and restart when it returns', () => {
    const nodes = moved(settled(), 'demo_c').map((node) => ({ ...node, reachable: !node.active }));
    expect(toldThings(planPeers(view(nodes), true, now))).toEqual(['demo_b']);
  });

  test('the only validator gets it last, without a switch', () => {
    let nodes = settled().filter(({ thing }) => thing !== 'demo_b');
    nodes = moved(nodes, 'demo_c');
    for (let round = 0; round < 5; round++) {
      const steps = planPeers(view(nodes), true, now);
      expect(switches(steps)).toEqual([]);
      expect(toldThings(steps).length).toBeLessThanOrEqual(1);
      if (toldThings(steps)[0] === 'demo_a') return;
      nodes = written(nodes, steps).map(running);
    }
    throw new Error('the validator never got its peers');
  });
});

test('a report that changes nobody’s peers costs no reads', () => {
  const reported = { nodeId: idOf('a'), p2p: 'h:1', kind: 'sentry' };
  const event = (minute: number, more = {}) => ({
    trigger: 'status-documents',
    sender: 'demo_c',
    receivedAt: 1,
    previous: { state: { reported: { ...reported, minute: { at: 0 } } } },
    current: { state: { reported: { ...reported, minute: { at: minute }, ...more } } },
  });
  expect(parseEvent(event(1))).toEqual({ kind: 'none' });
  expect(parseEvent(event(1, { p2p: 'h:2' }))).toEqual({ kind: 'fleet', fleet: 'demo', receivedAt: 1 });
  const changed = { trigger: 'gaiad-documents', sender: 'demo_c', receivedAt: 1 };
  const current = { state: { desired: { config: {} } } };
  expect(parseEvent({ ...changed, current }).kind).toBe('fleet');
  expect(parseEvent({ ...changed, previous: current, current: { state: {} } }).kind).toBe('fleet');
  expect(parseEvent({ ...changed, current: { state: { reported: {} } } }).kind).toBe('none');
  expect(parseEvent({ ...changed, current, clientToken: 'commander-1' }).kind).toBe('none');
  expect(parseEvent({ trigger: 'gaiad-documents', sender: 'lamp', receivedAt: 1 }).kind).toBe('none');
  expect(parseEvent({ trigger: 'x' }).kind).toBe('fault');
});
