import { Dict } from '../python/value.ts';
import type { ExpandedTask } from './batch.ts';

export const DRAWINGS = ['mermaid', 'dot', 'svg'] as const;
export type Drawing = (typeof DRAWINGS)[number];

/** The graph of a flow as a picture: tasks are boxes, calls of actions frames around theirs. */
export function drawGraph(tasks: readonly ExpandedTask[], drawing: Drawing): string {
  return { mermaid, dot, svg }[drawing](tasks);
}

const isFrame = ({ kind }: ExpandedTask): boolean => kind === 'action' || kind === 'module';
const parentOf = (id: string): string => id.slice(0, Math.max(0, id.lastIndexOf('.')));

/** The id, and below it the row of the matrix. */
function labelOf(task: ExpandedTask): readonly string[] {
  const own = task.id.slice(parentOf(task.id).length).replace(/^\./, '');
  const row =
    task.matrix instanceof Dict
      ? [...task.matrix.entries()]
          .filter(([name]) => name !== 'ORDINAL')
          .map(([name, value]) => `${String(name)}=${String(value)}`)
      : [];
  return row.length === 0 ? [own] : [own, row.join(' ')];
}

/** Children of each frame, the top level under the empty name. */
function nesting(tasks: readonly ExpandedTask[]): ReadonlyMap<string, readonly ExpandedTask[]> {
  return Map.groupBy(tasks, ({ id }) => parentOf(id));
}

function mermaid(tasks: readonly ExpandedTask[]): string {
  const names = new Map(tasks.map(({ id }, index) => [id, `t${index}`]));
  const within = nesting(tasks);
  const label = (task: ExpandedTask): string => labelOf(task).join('<br/>').replaceAll('"', '#quot;');
  const draw = (parent: string, indent: string): readonly string[] =>
    (within.get(parent) ?? []).flatMap((task) => {
      const name = names.get(task.id) as string;
      if (!isFrame(task)) return [`${indent}${name}["${label(task)}"]`];
      return [`${indent}subgraph ${name}["${label(task)}"]`, ...draw(task.id, `${indent}  `), `${indent}end`];
    });
  const edges = tasks.flatMap(({ id, needs }) =>
    Object.entries(needs).map(
      ([need, level]) => `  ${names.get(need)} ${level === 'running' ? '-.->' : '-->'} ${names.get(id)}`,
    ),
  );
  return ['flowchart TD', ...draw('', '  '), ...edges, ''].join('\n');
}

function dot(tasks: readonly ExpandedTask[]): string {
  const within = nesting(tasks);
  const quote = (text: string): string => `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
  const label = (task: ExpandedTask): string =>
    `"${labelOf(task)
      .map((line) => quote(line).slice(1, -1))
      .join('\\n')}"`;
  const draw = (parent: string, indent: string): readonly string[] =>
    (within.get(parent) ?? []).flatMap((task) => {
      const node = `${indent}${quote(task.id)} [label=${label(task)}];`;
      if (!isFrame(task)) return [node];
      return [
        `${indent}subgraph ${quote(`cluster_${task.id}`)} {`,
        `${indent}  label=${label(task)};`,
        `${indent}  ${quote(task.id)} [label="", shape=point];`,
        ...draw(task.id, `${indent}  `),
        `${indent}}`,
      ];
    });
  const edges = tasks.flatMap(({ id, needs }) =>
    Object.entries(needs).map(
      ([need, level]) => `  ${quote(need)} -> ${quote(id)}${level === 'running' ? ' [style=dashed]' : ''};`,
    ),
  );
  return ['digraph flow {', '  rankdir=TB;', '  node [shape=box];', ...draw('', '  '), ...edges, '}', ''].join('\n');
}

const BOX = { width: 160, height: 44, across: 24, down: 48 };

/** Rows by the longest way from a start; tasks of actions stand after the call that opens them. */
function svg(tasks: readonly ExpandedTask[]): string {
  const depth = depths(tasks);
  const rows = Map.groupBy(tasks, ({ id }) => depth.get(id) ?? 0);
  const place = new Map<string, { readonly x: number; readonly y: number }>();
  for (const [row, members] of rows) {
    members.forEach(({ id }, column) => {
      place.set(id, {
        x: BOX.across + column * (BOX.width + BOX.across),
        y: BOX.across + row * (BOX.height + BOX.down),
      });
    });
  }
  const widest = Math.max(1, ...[...rows.values()].map(({ length }) => length));
  const width = BOX.across + widest * (BOX.width + BOX.across);
  const height = BOX.across * 2 + Math.max(1, rows.size) * (BOX.height + BOX.down) - BOX.down;
  const escaped = (text: string): string =>
    text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
  const lines = tasks.flatMap((task) => {
    const to = place.get(task.id);
    const from = [
      ...Object.entries(task.needs),
      ...(parentOf(task.id) === '' ? [] : [[parentOf(task.id), 'running'] as const]),
    ];
    return from.flatMap(([need, level]) => {
      const start = place.get(need);
      if (start === undefined || to === undefined) return [];
      const points = `x1="${start.x + BOX.width / 2}" y1="${start.y + BOX.height}" x2="${to.x + BOX.width / 2}" y2="${to.y}"`;
      return [
        `<line ${points} stroke="#555"${level === 'running' ? ' stroke-dasharray="4 3"' : ''} marker-end="url(#end)"/>`,
      ];
    });
  });
  const boxes = tasks.map((task) => {
    const { x, y } = place.get(task.id) ?? { x: 0, y: 0 };
    const text = labelOf(task);
    const words = text.map(
      (line, index) =>
        `<tspan x="${x + BOX.width / 2}" dy="${index === 0 ? (text.length === 1 ? 4 : -4) : 16}">${escaped(line)}</tspan>`,
    );
    return `<g><title>${escaped(task.id)}</title><rect x="${x}" y="${y}" width="${BOX.width}" height="${BOX.height}" rx="4" fill="${isFrame(task) ? '#eef' : '#fff'}" stroke="#333"/><text y="${y + BOX.height / 2}" text-anchor="middle">${words.join('')}</text></g>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="sans-serif" font-size="12">`,
    '<defs><marker id="end" markerWidth="8" markerHeight="8" refX="8" refY="4" orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="#555"/></marker></defs>',
    ...lines,
    ...boxes,
    '</svg>',
    '',
  ].join('\n');
}

function depths(tasks: readonly ExpandedTask[]): ReadonlyMap<string, number> {
  const byId = new Map(tasks.map((task) => [task.id, task]));
  const found = new Map<string, number>();
  const before = (task: ExpandedTask): readonly string[] =>
    [...Object.keys(task.needs), ...(parentOf(task.id) === '' ? [] : [parentOf(task.id)])].filter((id) => byId.has(id));
  for (const start of tasks) {
    const stack = [start];
    for (let task = stack.at(-1); task !== undefined; task = stack.at(-1)) {
      const missing = before(task).filter((id) => !found.has(id));
      if (missing.length > 0 && stack.length <= tasks.length)
        stack.push(...missing.map((id) => byId.get(id) as ExpandedTask));
      else {
        found.set(task.id, Math.max(-1, ...before(task).map((id) => found.get(id) ?? 0)) + 1);
        stack.pop();
      }
    }
  }
  return found;
}
