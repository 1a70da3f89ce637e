import { fieldOf } from '../file/block.ts';
import type { Graph, TaskNode } from './graph.ts';

/** Reports a circle of needs. */
export function checkCycle(nodes: Graph): void {
  const done = new Set<string>();
  for (const start of nodes.keys()) {
    const path: string[] = [];
    const stack: { readonly id: string; readonly next: string[] }[] = [];
    const enter = (id: string): void => {
      stack.push({ id, next: [...(nodes.get(id)?.needs.keys() ?? [])] });
      path.push(id);
    };
    if (!done.has(start)) enter(start);
    while (stack.length > 0) {
      const top = stack.at(-1);
      const id = top?.next.pop();
      if (id === undefined) {
        stack.pop();
        const left = path.pop();
        if (left !== undefined) done.add(left);
      } else if (path.includes(id)) {
        const source = (nodes.get(id) as TaskNode).source;
        const circle = [...path.slice(path.indexOf(id)), id].join(' → ');
        const needs = fieldOf(source, 'needs', 'needs');
        source.report.add('FLOW_CYCLE', needs ?? source, `tasks need each other in a circle: ${circle}`);
        return;
      } else if (!done.has(id)) enter(id);
    }
  }
}
