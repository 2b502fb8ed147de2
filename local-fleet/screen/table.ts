/** The fleet as lines of text. Pure: what is shown depends on the arguments alone. */

import { type FleetView, type NodeView, silentAfterMs } from './fleet-view.ts';

export interface Pids {
  pilot?: number | undefined;
  signer?: number | undefined;
  gaiad?: number | undefined;
}

export interface TableOptions {
  /** Columns of the terminal. */
  width: number;
  colour: boolean;
  nowMs: number;
  pids: Record<string, Pids>;
}

type Colour = 'green' | 'yellow' | 'red' | 'dim' | 'bold';
const codes: Record<Colour, number> = { green: 32, yellow: 33, red: 31, dim: 2, bold: 1 };

interface Cell {
  text: string;
  colour?: Colour | undefined;
  right?: boolean;
}

const heading = [
  ['NODE'],
  ['ZONE'],
  ['ROLE'],
  ['EPOCH', true],
  ['HEIGHT', true],
  ['MISSED', true],
  ['PEERS', true],
  ['GAIAD'],
  ['SIGNER'],
  ['PILOT'],
] as const;

export function renderTable(view: FleetView, options: TableOptions): string[] {
  const rows: Cell[][] = [
    heading.map(([text, right]): Cell => ({ text, colour: 'dim', right: right === true })),
    ...Object.values(view.nodes).map((node) => nodeRow(node, options)),
  ];
  const widths = heading.map((_, column) => Math.max(...rows.map((row) => row[column]?.text.length ?? 0)));
  const shown = columnsThatFit(widths, options.width);
  const of = <T>(all: readonly T[]) => all.filter((_, column) => shown.has(column));
  return rows.map((row) => joinCells(of(row), of(widths), options));
}

/** On a narrow terminal these go, in this order, rather than whatever is last. */
const dispensable = ['ZONE', 'PEERS', 'EPOCH', 'MISSED'];

function columnsThatFit(widths: readonly number[], width: number): Set<number> {
  const shown = new Set(widths.keys());
  const room = () => [...shown].reduce((sum, column) => sum + (widths[column] ?? 0), 2 * (shown.size - 1));
  for (const name of dispensable) {
    if (room() <= width) break;
    shown.delete(heading.findIndex(([text]) => text === name));
  }
  return shown;
}

function nodeRow(node: NodeView, { nowMs, pids }: TableOptions): Cell[] {
  const { health } = node;
  const own = pids[node.node] ?? {};
  const old = node.heardAtMs === undefined || nowMs - node.heardAtMs > silentAfterMs;
  const signing = health?.signing;
  return [
    { text: node.node, colour: 'bold' },
    { text: node.zone ?? '' },
    { text: node.role ?? '-', colour: roleColours[node.role ?? ''] },
    { text: node.kind === 'validator' ? String(node.epoch ?? '-') : '', right: true },
    { text: String(health?.gaiad.height ?? '-'), right: true },
    {
      text: node.kind === 'validator' && signing ? `${signing.missed}/${signing.of}` : '',
      right: true,
      colour: signing?.missed ? 'yellow' : undefined,
    },
    { text: String(health?.gaiad.peers ?? '-'), right: true },
    stateCell(health?.gaiad.state, own.gaiad, ['running']),
    node.kind === 'validator'
      ? stateCell(health?.signer?.state, own.signer, ['active', 'standby', 'local'])
      : { text: '' },
    stateCell(pilotState(node, old), own.pilot, ['connected']),
  ];
}

function pilotState(node: NodeView, old: boolean): string {
  if (node.heardAtMs === undefined) return 'not heard yet';
  if (!node.connected) return 'disconnected';
  return old ? 'silent' : 'connected';
}

const roleColours: Record<string, Colour | undefined> = {
  active: 'green',
  fenced: 'red',
  maintenance: 'yellow',
};

function stateCell(state: string | undefined, pid: number | undefined, good: readonly string[]): Cell {
  return {
    text: `${state ?? '-'}${pid === undefined ? '' : ` ${pid}`}`,
    colour: state === undefined || good.includes(state) ? undefined : 'yellow',
  };
}

/** Cut to the terminal's width, so that no line wraps and the table can be drawn over. */
function joinCells(row: readonly Cell[], widths: readonly number[], { width, colour }: TableOptions): string {
  let left = width;
  let line = '';
  row.forEach((cell, column) => {
    const room = widths[column] ?? 0;
    const padded = cell.right ? cell.text.padStart(room) : cell.text.padEnd(room);
    const text = `${column === 0 ? '' : '  '}${padded}`.slice(0, Math.max(0, left));
    left -= text.length;
    line += colour && cell.colour ? paint(text, cell.colour) : text;
  });
  return colour ? line : line.trimEnd();
}

export function paint(text: string, colour: Colour): string {
  return `\u001b[${codes[colour]}m${text}\u001b[0m`;
}

/** Broken between words (a longer word as well), what follows the first line indented. */
export function wrap(text: string, width: number, indent = '  '): string[] {
  const lines: string[] = [];
  let rest = text;
  while (rest.length > width) {
    // A line's own indent is no place to break at.
    const start = rest.length - rest.trimStart().length;
    const space = rest.lastIndexOf(' ', width);
    const at = space > start ? space : width;
    lines.push(rest.slice(0, at).trimEnd());
    rest = `${indent}${rest.slice(at).trimStart()}`;
  }
  return [...lines, rest];
}

/** One line for logs: `height 120: a active (epoch 1), b standby, s1 sentry, s2 sentry; 0 missed of 100`. */
export function summaryLine(view: FleetView): string {
  const nodes = Object.values(view.nodes);
  const height = Math.max(0, ...nodes.map(({ health }) => health?.gaiad.height ?? 0));
  const roles = nodes.map(
    ({ node, role, epoch }) => `${node} ${role ?? '-'}${role === 'active' ? ` (epoch ${epoch})` : ''}`,
  );
  const signing = nodes.find(({ kind, health }) => kind === 'validator' && health?.signing)?.health?.signing;
  const missed = signing ? `; ${signing.missed} missed of ${signing.of}` : '';
  return `height ${height}: ${roles.join(', ')}${missed}`;
}
