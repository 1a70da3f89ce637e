import { emptyNode, type FreeNode, type Obstacle, obstacle } from './capacity.ts';
import type { Needs } from './model.ts';
import { showBytes } from './quota.ts';

/** Why a job finds no room, counted by nodes, in words for a person. */
export function noRoom(
  nodes: readonly FreeNode[],
  needs: Needs,
  pools: readonly string[],
  reserved: ReadonlySet<string>,
): string {
  const where = pools.length === 0 ? '' : ` of ${pools.length === 1 ? 'pool' : 'pools'} ${pools.join(', ')}`;
  if (nodes.length === 0) return `no node${where} has joined the cluster`;
  const counts = new Map<string, number>();
  for (const node of nodes) {
    const stopped = obstacle(node, needs);
    const kind = stopped === undefined ? (reserved.has(node.name) ? 'reserved' : 'other') : keyOf(stopped);
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  const parts = [...counts].map(([kind, count]) => words(kind, count, needs));
  const total = `${nodes.length} ${nodes.length === 1 ? 'node' : 'nodes'}${where}`;
  const never = nodes.every((node) => tooSmall(node, needs)) ? '; none is large enough even when empty' : '';
  return `no room on ${total}: ${parts.join(', ')}${never}`;
}

function tooSmall(node: FreeNode, needs: Needs): boolean {
  const kind = obstacle(emptyNode({ ...node.report, ready: true, schedulable: true }, node.pool), needs)?.kind;
  return kind !== undefined;
}

function keyOf(stopped: Obstacle): string {
  return stopped.kind === 'extended' ? `extended ${stopped.resource}` : stopped.kind;
}

function words(kind: string, count: number, needs: Needs): string {
  const [lack, is, take] = count === 1 ? ['lacks', 'is', 'takes'] : ['lack', 'are', 'take'];
  switch (kind) {
    case 'not-ready':
      return `${count} ${is} not ready`;
    case 'cordoned':
      return `${count} ${take} no new jobs`;
    case 'cpu':
      return `${count} ${lack} CPU (${needs.milliCpu / 1000} needed)`;
    case 'memory':
      return `${count} ${lack} memory (${showBytes(needs.memory)} needed)`;
    case 'pods':
      return `${count} ${is} full (number of Pods)`;
    case 'reserved':
      return `${count} ${is} kept for a job that has waited longer`;
    default: {
      const resource = kind.replace(/^extended /, '');
      return `${count} ${lack} ${resource} (${needs.extended[resource] ?? 0} needed)`;
    }
  }
}
