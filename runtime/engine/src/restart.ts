import type { TaskRecord } from './model/records.ts';
import { graphOf } from './state/graph.ts';
import type { BatchTask, TaskNode } from './state/node.ts';

/** From where a bake runs again: its start, what has not succeeded, or one task and all that follows from it. */
export type RestartFrom = { readonly from: 'start' | 'failed' } | { readonly from: 'task'; readonly task: string };

/**
 * The records that the next attempt of a bake begins with: results that nothing which runs again could change. What a
 * stateful action holds is given back by its post step, so it is taken again where anything that needs it runs again.
 *
 * @throws RangeError where there is no such task
 */
export function carriedOver(
  tasks: readonly BatchTask[],
  records: readonly TaskRecord[],
  restart: RestartFrom,
): readonly TaskRecord[] {
  if (restart.from === 'start') return [];
  const { nodes } = graphOf(tasks);
  const good = new Map(
    records.flatMap((record) => {
      const last = record.statuses.at(-1);
      const succeeded = last?.status === 'succeeded' || last?.status === 'cached';
      return succeeded ? [[record.task, { ...record, statuses: [last] }] as const] : [];
    }),
  );
  const again = new Again(nodes);
  if (restart.from === 'task') {
    const first = nodes.get(restart.task);
    if (first === undefined) throw new RangeError(`there is no task ${restart.task}`);
    again.add(first, true);
  }
  // A call has not succeeded because a task in it has not: the others in it stay.
  for (const [id, node] of nodes) if (!good.has(id)) again.add(node, node.kind !== 'call');
  return [...nodes].flatMap(([id, node]) => (again.has(node) ? [] : (good.get(id) ?? [])));
}

/** The tasks that run again. */
class Again {
  /** Whether a call's tasks all do. */
  readonly #marked = new Map<TaskNode, boolean>();
  readonly #users = new Map<TaskNode, TaskNode[]>();
  /** Stateful actions with a post step, by what needs them. */
  readonly #held = new Map<TaskNode, TaskNode[]>();

  constructor(nodes: ReadonlyMap<string, TaskNode>) {
    const holders = new Set([...nodes.values()].map(({ task }) => task.run.stateFrom));
    for (const node of nodes.values()) {
      for (const id of Object.keys(node.task.needs)) {
        const need = nodes.get(id);
        if (need === undefined) continue;
        push(this.#users, need, node);
        if (holders.has(id)) push(this.#held, node, need);
      }
    }
  }

  has(node: TaskNode): boolean {
    return this.#marked.has(node);
  }

  add(first: TaskNode, whole: boolean): void {
    const stack: [TaskNode, boolean][] = [[first, whole]];
    for (let top = stack.pop(); top !== undefined; top = stack.pop()) {
      const [node, all] = top;
      const before = this.#marked.get(node);
      if (before === true || before === all) continue;
      this.#marked.set(node, all);
      if (all) for (const child of node.children) stack.push([child, true]);
      if (before !== undefined) continue;
      for (const other of [...(this.#users.get(node) ?? []), ...(this.#held.get(node) ?? [])])
        stack.push([other, true]);
      if (node.parent !== undefined) stack.push([node.parent, false]);
    }
  }
}

function push<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}
