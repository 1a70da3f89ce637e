import type { NodeReport } from '@delos/core';
import type { ActiveJob, Needs } from './model.ts';

/** A node and what is left of it. Changes as jobs are placed. */
export interface FreeNode {
  readonly name: string;
  readonly pool: string;
  readonly report: NodeReport;
  milliCpu: number;
  memory: number;
  pods: number;
  readonly extended: Map<string, number>;
}

/** What keeps a job from a node; undefined where it fits. */
export type Obstacle =
  | { readonly kind: 'not-ready' | 'cordoned' | 'cpu' | 'memory' | 'pods' }
  | { readonly kind: 'extended'; readonly resource: string };

/**
 * Nodes by name with what jobs leave free. Jobs whose Pod is not bound yet are placed where they fit best; where they
 * fit nowhere they are charged to the emptiest node of their pool, so that nothing is promised twice.
 */
export function freeNodes(reports: readonly NodeReport[], active: readonly ActiveJob[]): readonly FreeNode[] {
  const nodes = reports
    .flatMap((report) => (report.pool === null ? [] : [emptyNode(report, report.pool)]))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const byName = new Map(nodes.map((node) => [node.name, node]));
  const unbound: ActiveJob[] = [];
  for (const job of active) {
    const node = job.node === null ? undefined : byName.get(job.node);
    if (node !== undefined) take(node, job.needs);
    else if (job.node === null) unbound.push(job);
  }
  for (const job of unbound.sort((a, b) => (a.id < b.id ? -1 : 1))) {
    const pool = nodes.filter((node) => node.pool === job.pool);
    const node =
      bestFit(pool, job.needs) ?? pool.sort((a, b) => b.milliCpu - a.milliCpu || (a.name < b.name ? -1 : 1))[0];
    if (node !== undefined) take(node, job.needs);
  }
  return nodes;
}

/** The same node without any job. */
export function emptyNode(report: NodeReport, pool: string): FreeNode {
  return {
    name: report.name,
    pool,
    report,
    milliCpu: Math.floor(report.cpu * 1000 + 1e-6),
    memory: report.memory,
    pods: report.pods,
    extended: new Map(Object.entries(report.extended)),
  };
}

export function take(node: FreeNode, needs: Needs): void {
  node.milliCpu -= needs.milliCpu;
  node.memory -= needs.memory;
  node.pods -= 1;
  for (const [resource, devices] of Object.entries(needs.extended)) {
    node.extended.set(resource, (node.extended.get(resource) ?? 0) - devices);
  }
}

export function obstacle(node: FreeNode, needs: Needs): Obstacle | undefined {
  if (!node.report.ready) return { kind: 'not-ready' };
  if (!node.report.schedulable) return { kind: 'cordoned' };
  for (const [resource, devices] of Object.entries(needs.extended)) {
    if ((node.extended.get(resource) ?? 0) < devices) return { kind: 'extended', resource };
  }
  if (node.memory < needs.memory) return { kind: 'memory' };
  if (node.milliCpu < needs.milliCpu) return { kind: 'cpu' };
  if (node.pods < 1) return { kind: 'pods' };
  return undefined;
}

/**
 * Of the nodes that it fits, the one that it leaves fullest, devices that it does not ask for counting first: whole
 * nodes stay free for large jobs, GPUs for those who need them.
 */
export function bestFit(nodes: readonly FreeNode[], needs: Needs): FreeNode | undefined {
  let best: FreeNode | undefined;
  for (const node of nodes) {
    if (obstacle(node, needs) === undefined && (best === undefined || isFuller(node, best, needs))) best = node;
  }
  return best;
}

function isFuller(a: FreeNode, b: FreeNode, needs: Needs): boolean {
  const idle = (node: FreeNode): number => {
    let devices = 0;
    for (const [resource, free] of node.extended) if (!(resource in needs.extended)) devices += free;
    return devices;
  };
  return idle(a) - idle(b) < 0 || (idle(a) === idle(b) && (a.milliCpu - b.milliCpu || a.memory - b.memory) < 0);
}

/** How many more jobs of these needs would fit now. */
export function countFits(nodes: readonly FreeNode[], needs: Needs, pools: readonly string[]): number {
  let total = 0;
  for (const node of nodes) {
    if (pools.length > 0 && !pools.includes(node.pool)) continue;
    if (obstacle(node, needs) !== undefined) continue;
    const limits = [node.pods, Math.floor(node.milliCpu / needs.milliCpu), Math.floor(node.memory / needs.memory)];
    for (const [resource, devices] of Object.entries(needs.extended)) {
      limits.push(Math.floor((node.extended.get(resource) ?? 0) / devices));
    }
    total += Math.max(0, Math.min(...limits));
  }
  return total;
}
