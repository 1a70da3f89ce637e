import type { ExpandedTask } from '../expanded-task.ts';
import { isFrame, labelOf, nesting } from './draw-nesting.ts';
import { svg } from './draw-svg.ts';

export const DRAWINGS = ['mermaid', 'dot', 'svg'] as const;
export type Drawing = (typeof DRAWINGS)[number];

/** The graph of a flow as a picture: tasks are boxes, calls of actions boxes around theirs. */
export function drawGraph(tasks: readonly ExpandedTask[], drawing: Drawing): string {
  return { mermaid, dot, svg }[drawing](tasks);
}

function mermaid(tasks: readonly ExpandedTask[]): string {
  const names = new Map(tasks.map(({ id }, index) => [id, `t${index}`]));
  const within = nesting(tasks);
  const label = (task: ExpandedTask, parent: string): string =>
    labelOf(task, parent).join('<br/>').replaceAll('"', '#quot;');
  const draw = (parent: string, indent: string): readonly string[] =>
    (within.get(parent) ?? []).flatMap((task) => {
      const name = names.get(task.id) as string;
      if (!isFrame(task)) return [`${indent}${name}["${label(task, parent)}"]`];
      return [`${indent}subgraph ${name}["${label(task, parent)}"]`, ...draw(task.id, `${indent}  `), `${indent}end`];
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
  const label = (task: ExpandedTask, parent: string): string =>
    `"${labelOf(task, parent)
      .map((line) => quote(line).slice(1, -1))
      .join('\\n')}"`;
  const draw = (parent: string, indent: string): readonly string[] =>
    (within.get(parent) ?? []).flatMap((task) => {
      const node = `${indent}${quote(task.id)} [label=${label(task, parent)}];`;
      if (!isFrame(task)) return [node];
      return [
        `${indent}subgraph ${quote(`cluster_${task.id}`)} {`,
        `${indent}  label=${label(task, parent)};`,
        // Arrows end at nodes: this one stands for the box.
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
