import {
  freeDevices,
  type Node,
  type PodPlacement,
  putPool,
  relocate,
  roomFor,
  type Scheduler,
} from '@delos/scheduling';
import type { PlannedJob, ReportedNode } from './planned.ts';
import { nodeOf } from './translate.ts';

type RunningJob = Scheduler['state']['running'] extends Map<number, infer Running> ? Running : never;

/** The nodes of a planner's core: as they are reported, and those that jobs run on though nobody reports them. */
export class PlannerNodes {
  readonly #core: Scheduler;
  readonly #counted: ReadonlySet<string>;
  /** Nodes as they were put, by name. */
  readonly #reported = new Map<string, string>();
  /** They count as not ready and empty, so that their jobs are still charged. */
  readonly #unreported = new Set<string>();

  constructor(core: Scheduler, counted: ReadonlySet<string>) {
    this.#core = core;
    this.#counted = counted;
  }

  /** All nodes as they are reported now. */
  set(reports: readonly ReportedNode[], at: number): void {
    const seen = new Set<string>();
    for (const report of reports) {
      if (report.pool === null) continue;
      seen.add(report.name);
      const node = nodeOf(report, report.pool, this.#counted);
      const text = JSON.stringify(node);
      if (this.#reported.get(node.name) === text) continue;
      this.#ensurePool(report.pool);
      this.#put(node, at);
      this.#reported.set(node.name, text);
      this.#unreported.delete(node.name);
    }
    for (const name of this.#reported.keys()) {
      if (seen.has(name)) continue;
      // Its jobs end when their rows say so.
      this.#reported.delete(name);
      this.#put(unreportedNode(name, this.poolOf(name), this.#counted), at);
      this.#unreported.add(name);
      this.vacated(name, at);
    }
  }

  poolOf(name: string): string {
    return this.#specOf(name)?.pool ?? '';
  }

  /** Whether Pods may be bound there; of a node that is not known, not. */
  takesPods(name: string): boolean {
    const spec = this.#specOf(name);
    return spec?.ready === true && !spec.cordoned;
  }

  /** Whether more is on a node than it has. */
  isOverfull(name: string): boolean {
    const { nodes, onNode } = this.#core.state;
    const number = nodes.numberOf(name);
    if (number === undefined) return true;
    const least = Math.min(nodes.milliCpu[number] ?? 0, nodes.memoryMiB[number] ?? 0, nodes.pods[number] ?? 0);
    const counted = [...this.#counted].map((profile) => nodes.freeSlices(profile, number));
    return Math.min(least, ...counted) < 0 || [...(onNode.get(number) ?? [])].some(lacksDevices);
  }

  /** Makes sure that a job can be put on a node. */
  ensure(name: string, pool: string, at: number): void {
    if (this.#core.state.nodes.numberOf(name) !== undefined) return;
    this.#ensurePool(pool);
    this.#core.putNode(unreportedNode(name, pool, this.#counted), at);
    this.#unreported.add(name);
  }

  /** A job is there no more: who lacked devices has them now, and a node that was kept for it alone is forgotten. */
  vacated(name: string | undefined, at: number): void {
    const number = name === undefined ? undefined : this.#core.state.nodes.numberOf(name);
    if (name === undefined || number === undefined) return;
    const there = [...(this.#core.state.onNode.get(number) ?? [])];
    for (const { id, startedAt } of there.filter(lacksDevices).sort(byId)) {
      relocate(this.#core, id, { startedAt, pods: [podOn(name)] });
    }
    if (there.length === 0 && this.#unreported.delete(name)) this.#core.removeNode(name, at);
  }

  /**
   * Where Kubernetes can be expected to bind a Pod: where it was asked to, else where there is room, else on the emptiest node
   * of its pool.
   */
  choose(preset: string, pool: string, planned: string | null): string {
    if (planned !== null && this.takesPods(planned)) return planned;
    this.#ensurePool(pool);
    const { nodes } = this.#core.state;
    let best = roomFor(this.#core, preset, [pool]).node;
    if (best !== undefined) return best;
    let most = -Infinity;
    nodes.specs.forEach((spec, number) => {
      const free = nodes.milliCpu[number] ?? 0;
      if (spec?.pool !== pool || this.#unreported.has(spec.name)) return;
      if (free < most || (free === most && best !== undefined && best < spec.name)) return;
      best = spec.name;
      most = free;
    });
    return best ?? `a node of ${pool}`;
  }

  /** Puts a node. Devices are numbered anew where their number has changed: which of them are lost nobody tells. */
  #put(node: Node, at: number): void {
    const core = this.#core;
    const { nodes, onNode } = core.state;
    const number = nodes.numberOf(node.name);
    const same = number === undefined || nodes.specs[number]?.gpu?.count === node.gpu?.count;
    const there = same ? [] : [...(onNode.get(number) ?? [])].sort(byId);
    if (there.length === 0) {
      core.putNode(node, at);
      return;
    }
    const aside = `aside of ${node.name}`;
    core.putNode(unreportedNode(aside, this.poolOf(node.name), this.#counted), at);
    for (const { id, startedAt } of there) relocate(core, id, { startedAt, pods: [podOn(aside)] });
    core.putNode(node, at);
    for (const { id, startedAt } of there) relocate(core, id, { startedAt, pods: [podOn(node.name)] });
    core.removeNode(aside, at);
  }

  #ensurePool(name: string): void {
    if (this.#core.state.pools.has(name)) return;
    putPool(this.#core, { name, cluster: 'default', labels: {}, taints: [] });
  }

  #specOf(name: string): Node | undefined {
    const { nodes } = this.#core.state;
    const number = nodes.numberOf(name);
    return number === undefined ? undefined : nodes.specs[number];
  }
}

/** A replica on a node, on whatever devices of it are free. */
export function podOn(node: string): PodPlacement {
  return { group: 0, node, gpus: [] };
}

/** The same for a job that the core does not know yet, which must be told devices. */
export function newPodOn(core: Scheduler, node: string, devices: number): PodPlacement {
  return { group: 0, node, gpus: [...freeDevices(core, node, devices)] };
}

export function byId(a: { readonly id: string }, b: { readonly id: string }): number {
  return a.id < b.id ? -1 : 1;
}

/** Bound jobs, then those that are placed in what is left, then the queue. */
export function stageOf({ active }: PlannedJob): number {
  return active === undefined ? 2 : active.node === null ? 1 : 0;
}

/** More devices were asked for there than the node has (left). */
function lacksDevices({ of, pods }: RunningJob): boolean {
  const need = of.groups[0]?.shape.gpu;
  return need?.kind === 'whole' && (pods[0]?.gpus.length ?? 0) < need.count;
}

function unreportedNode(name: string, pool: string, counted: ReadonlySet<string>): Node {
  const report = { name, pool, ready: false, schedulable: false, cpu: 0, memory: 0, pods: 0, extended: {} };
  return nodeOf(report, pool, counted);
}
