import { SharedNeeds } from './gate.ts';
import { type BatchTask, TaskNode } from './node.ts';
import { Scope } from './scope.ts';

/** The tasks of a bake, each with what it waits for. */
export interface Graph {
  readonly nodes: ReadonlyMap<string, TaskNode>;
  readonly top: readonly TaskNode[];
  readonly scope: Scope<TaskNode>;
}

/** @throws RangeError where a task needs, or lies in, one that is not there */
export function graphOf(tasks: readonly BatchTask[]): Graph {
  const nodes = new Map<string, TaskNode>();
  const top: TaskNode[] = [];
  for (const task of tasks) {
    const parent = callOf(task.id, nodes);
    const node = new TaskNode(task, parent);
    nodes.set(task.id, node);
    (parent?.children ?? top).push(node);
    if (parent === undefined) continue;
    parent.idle += 1;
    parent.unfinished += 1;
    node.blocked += 1;
  }
  // Rows with the same needs share the object that tells them.
  const gates = new Map<BatchTask['needs'], SharedNeeds>();
  for (const node of nodes.values()) {
    const needs = Object.entries(node.task.needs);
    if (needs.length === 0) continue;
    let gate = gates.get(node.task.needs);
    if (gate === undefined) {
      gate = new SharedNeeds();
      gates.set(node.task.needs, gate);
      for (const [id, level] of needs) {
        const need = nodes.get(id);
        if (need === undefined) throw new RangeError(`${node.task.id} needs ${id}, which is not there`);
        gate.need(need, level);
      }
    }
    gate.members.push(node);
    node.gate = gate;
    node.blocked += 1;
  }
  return { nodes, top, scope: new Scope<TaskNode>() };
}

/** The call that a task lies in: its id stands before the task's. Ids that are made up may hold points themselves. */
function callOf(id: string, nodes: ReadonlyMap<string, TaskNode>): TaskNode | undefined {
  for (let end = id.lastIndexOf('.'); end > 0; end = id.lastIndexOf('.', end - 1)) {
    const call = nodes.get(id.slice(0, end));
    if (call?.kind === 'call') return call;
  }
  return undefined;
}

/** The scopes that a task is counted in, from the bake on inwards. */
export function scopesOf(node: TaskNode, whole: Scope<TaskNode>): readonly Scope<TaskNode>[] {
  const scopes: Scope<TaskNode>[] = [];
  for (let call = node.parent; call !== undefined; call = call.parent) if (call.scope) scopes.push(call.scope);
  return [whole, ...scopes.reverse()];
}
