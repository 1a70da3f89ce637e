import { fieldOf } from '../../file/block.ts';
import type { TaskNode } from './task-node.ts';

/**
 * Reports a circle of needs. `twice`: ids that two tasks have. A task that needs itself because of that is not
 * reported: its id is given, for the id is what is wrong.
 */
export function checkCycle(nodes: ReadonlyMap<string, TaskNode>, twice: ReadonlySet<string>): string | undefined {
  const done = new Set<string>();
  for (const start of nodes.keys()) {
    // The way from the start to where the walk stands, in order.
    const path = new Set<string>();
    const stack: { readonly id: string; readonly next: Iterator<string> }[] = [];
    const enter = (id: string): void => {
      const next = nodes.get(id)?.needs.levels.keys() ?? [][Symbol.iterator]();
      stack.push({ id, next });
      path.add(id);
    };
    if (!done.has(start)) enter(start);
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const { value: id, done: none } = top.next.next();
      if (none === true) {
        stack.pop();
        path.delete(top.id);
        done.add(top.id);
      } else if (path.has(id)) {
        if (id === top.id && twice.has(id)) return id;
        report(nodes.get(id) as TaskNode, id, [...path]);
        return undefined;
      } else if (!done.has(id)) enter(id);
    }
  }
  return undefined;
}

function report({ source }: TaskNode, id: string, path: readonly string[]): void {
  const circle = [...path.slice(path.indexOf(id)), id].join(' → ');
  const needs = fieldOf(source, 'needs', 'needs');
  source.report.add('FLOW_CYCLE', needs ?? source, `tasks need each other in a circle: ${circle}`);
}
