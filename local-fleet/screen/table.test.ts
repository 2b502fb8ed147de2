import { expect, test } from '@jest/globals';
import type { HealthMessage } from '../../protocol/topics.ts';
import { applyMessage, emptyView, type FleetView, whatIsMissing } from './fleet-view.ts';
import { renderTable, summaryLine, wrap } from './table.ts';

const nowMs = 1_000_000;

function health(node: string, more: Partial<HealthMessage>): [string, string] {
  const message: HealthMessage = {
    v: 1,
    thing: `demo_${node}`,
    bootId: 'boot',
    seq: 1,
    at: nowMs,
    kind: 'validator',
    role: 'standby',
    epoch: 1,
    gaiad: { state: 'running', height: 120, catchingUp: false, peers: 2 },
    ...more,
  };
  return [`beam/demo/demo_${node}/health`, JSON.stringify(message)];
}

function signer(state: 'active' | 'standby') {
  return { state, address: 'AB', epoch: 1, height: 119 };
}

function fold(view: FleetView, messages: [string, string][]): { view: FleetView; lines: string[] } {
  const lines: string[] = [];
  let current = view;
  for (const [topic, payload] of messages) {
    const applied = applyMessage(current, topic, payload, nowMs);
    current = applied.view;
    lines.push(...applied.lines);
  }
  return { view: current, lines };
}

const empty = emptyView('demo', [
  { name: 'a', kind: 'validator', zone: 'local-1' },
  { name: 'b', kind: 'validator', zone: 'local-2' },
  { name: 's1', kind: 'sentry', zone: 'local-1' },
]);
const signing = { missed: 1, of: 100, missedTotal: 1, lastSignedHeight: 119 };
const whole = fold(empty, [
  health('a', { role: 'active', signer: signer('active'), signing }),
  health('b', { signer: signer('standby'), signing }),
  health('s1', { kind: 'sentry', role: 'sentry', epoch: 0 }),
]).view;

test('a table of a whole fleet', () => {
  const pids = { a: { pilot: 11, signer: 12, gaiad: 13 } };
  expect(renderTable(whole, { width: 120, colour: false, nowMs, pids })).toEqual([
    'NODE  ZONE     ROLE     EPOCH  HEIGHT  MISSED  PEERS  GAIAD       SIGNER     PILOT',
    'a     local-1  active       1     120   1/100      2  running 13  active 12  connected 11',
    'b     local-2  standby      1     120   1/100      2  running     standby    connected',
    's1    local-1  sentry             120              2  running                connected',
  ]);
  expect(summaryLine(whole)).toBe('height 120: a active (epoch 1), b standby, s1 sentry; 1 missed of 100');
});

test('no line is wider than the terminal, with colour or without', () => {
  const lines = renderTable(whole, { width: 40, colour: true, nowMs, pids: {} });
  for (const line of lines) {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are control characters
    expect(line.replace(/\u001b\[\d+m/g, '').length).toBeLessThanOrEqual(40);
  }
  expect(renderTable(empty, { width: 40, colour: false, nowMs, pids: {} })[1]).toContain(
    'a     -          -  -      -',
  );
});

test('a fleet is whole once one is active, one hot standby, and the sentries run', () => {
  expect(whatIsMissing(whole)).toBeUndefined();
  expect(whatIsMissing(empty)).toBe('a has not reported yet');
  const two = fold(whole, [health('b', { role: 'active', signer: signer('active') })]).view;
  expect(whatIsMissing(two)).toBe('2 validators are active');
  const cold = fold(whole, [health('b', { gaiad: { state: 'starting' } })]).view;
  expect(whatIsMissing(cold)).toBe("b's gaiad is starting");
});

test('roles follow the shadow, and what changes is told once', () => {
  const topic = '$aws/things/demo_b/shadow/name/role/update/documents';
  const reported = { role: 'active', epoch: 2, since: '2026-11-01T00:00:00Z', reason: '' };
  const body = JSON.stringify({ current: { state: { desired: { role: 'active', epoch: 2 }, reported } } });
  const { view, lines } = fold(whole, [
    [topic, body],
    [topic, body],
  ]);
  expect(view.nodes.b).toMatchObject({ role: 'active', epoch: 2, wanted: 'active' });
  expect(lines).toEqual(['b is active, epoch 2']);
});

test('a pilot that goes and comes back is told; what is not ours or not JSON changes nothing', () => {
  const gone = JSON.stringify({ clientId: 'demo_a', eventType: 'disconnected' });
  const { view, lines } = fold(whole, [
    ['$aws/events/presence/disconnected/demo_a', gone],
    ['beam/other/other_a/health', '{}'],
    ['beam/demo/demo_a/health', 'not JSON'],
    ['beam/demo/demo_a/health', '{"v":1}'],
  ]);
  expect(lines).toEqual(['a: pilot disconnected']);
  expect(view.nodes.a?.connected).toBe(false);
  expect(renderTable(view, { width: 120, colour: false, nowMs, pids: {} })[1]).toContain('disconnected');
});

test('alerts and requests read as sentences', () => {
  const envelope = { v: 1, thing: 'demo_b', bootId: 'boot', seq: 2, at: nowMs };
  const { lines } = fold(whole, [
    [
      'beam/demo/demo_b/event/role-request',
      JSON.stringify({
        ...envelope,
        reason: 'yielded',
        recordId: 'r',
        epoch: 1,
        holder: 'demo_a',
        height: 9,
      }),
    ],
    [
      'beam/demo/demo_a/alert/gaiad-down',
      JSON.stringify({ ...envelope, severity: 'critical', text: 'gaiad ended.' }),
    ],
  ]);
  expect(lines).toEqual(['b asks for the role: the holder yields (epoch 1)', 'a: critical: gaiad ended.']);
});

test('on a narrow terminal columns that can be spared go, so that no other is cut', () => {
  const pids = { a: { pilot: 31_011, signer: 31_012, gaiad: 31_013 } };
  const lines = renderTable(whole, { width: 79, colour: false, nowMs, pids });
  expect(lines.slice(0, 2)).toEqual([
    'NODE  ROLE     HEIGHT  MISSED  GAIAD          SIGNER        PILOT',
    'a     active      120   1/100  running 31013  active 31012  connected 31011',
  ]);
});

test('long lines go on indented, broken between words where there are some', () => {
  expect(wrap('12:00:00  a: the reason is told whole', 20, '          ')).toEqual([
    '12:00:00  a: the',
    '          reason is',
    '          told whole',
  ]);
  expect(wrap('  --data /a/folder/with/a/long/name', 16)).toEqual([
    '  --data',
    '  /a/folder/with',
    '  /a/long/name',
  ]);
});
