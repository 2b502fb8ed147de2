/**
 * The Mermaid that the documents use: flowcharts and sequence diagrams, of these statements and no others. Mermaid itself needs a
 * browser and 170 MB (docs/decisions/reference-from-code.md); this keeps what is written to what was tried with it.
 */

export interface MermaidFault {
  /** From 0. */
  line: number;
  text: string;
}

const id = '[A-Za-z][\\w-]*';
/** Text in quotes may hold anything but quotes; without them no bracket. */
const label = '(?:"[^"]+"|[^"\\[\\](){}|]+)';
const node = `${id}(?:\\[${label}\\]|\\(\\[${label}\\]\\)|\\[\\(${label}\\)\\]|\\(${label}\\)|\\{${label}\\})?`;
const arrow = `(?:-->|---|-\\.->|==>|-- ${label} -->|-\\. ${label} \\.->|-->\\|${label}\\|)`;

const flowchart: readonly RegExp[] = [
  new RegExp(`^${node}(?: ${arrow} ${node})*$`),
  new RegExp(`^subgraph ${id}(?:\\[${label}\\])?$`),
  /^end$/,
  /^direction (LR|TB|RL|BT)$/,
];

const sequence: readonly RegExp[] = [
  new RegExp(`^(participant|actor) ${id}(?: as [^;#]+)?$`),
  new RegExp(`^${id}(?:->>|-->>|-x|--x|-\\)|--\\))[+-]?${id}: [^;#]+$`),
  new RegExp(`^Note (over ${id}(?:,${id})?|(?:left|right) of ${id}): [^;#]+$`),
  /^(alt|else|opt|loop|par|and|critical|option|break) [^;#]+$/,
  /^(end|autonumber)$/,
];

export function mermaidFault(text: string): MermaidFault | undefined {
  const lines = text.split('\n');
  const head = lines[0]?.trim() ?? '';
  const statements = /^flowchart (LR|TB)$/.test(head)
    ? flowchart
    : head === 'sequenceDiagram'
      ? sequence
      : undefined;
  if (!statements)
    return {
      line: 0,
      text: `'${head}' heads no diagram that is checked: flowchart LR or TB, or sequenceDiagram`,
    };
  const known = new Set<string>();
  let open = 0;
  for (const [index, raw] of lines.entries()) {
    const line = raw.trim();
    if (index === 0 || line === '' || line.startsWith('%%')) continue;
    if (!statements.some((statement) => statement.test(line)))
      return { line: index, text: `no statement of a diagram: ${line}` };
    if (/^(subgraph|alt|opt|loop|par|critical|break)\b/.test(line)) open += 1;
    if (line === 'end') open -= 1;
    if (open < 0) return { line: index, text: 'an end without a beginning' };
    const participant = /^(?:participant|actor) ([\w-]+)/.exec(line)?.[1];
    if (participant !== undefined) known.add(participant);
    const message = /^([\w-]+?)(?:->>|-->>|-x|--x|-\)|--\))[+-]?([\w-]+):/.exec(line);
    const stranger = message?.slice(1).find((name) => !known.has(name));
    if (stranger !== undefined) return { line: index, text: `${stranger} is no participant` };
  }
  return open === 0 ? undefined : { line: lines.length - 1, text: 'an end is missing' };
}
