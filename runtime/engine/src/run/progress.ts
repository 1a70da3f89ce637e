import type { UnwantedEnd } from '@delos/core';
import type { Home, Outside } from '@delos/flow';
import type { BakeImage } from '../model/image.ts';
import type { Act } from '../model/messages.ts';
import type { BakeResult, RecordChange, Texts } from '../model/records.ts';
import { type Graph, graphOf, scopesOf } from '../state/graph.ts';
import type { BatchTask, TaskNode } from '../state/node.ts';
import { Queue } from '../state/queue.ts';
import type { Scope } from '../state/scope.ts';
import { Images } from './images.ts';
import { reasonOf } from './reason.ts';
import { Values } from './values.ts';

/** What a bake is told beside its tasks. Times are in milliseconds since 1970. */
export interface BakeOptions {
  /** The attempt's id. Ids of jobs are made of it. */
  readonly attempt: string;
  readonly home: Home;
  readonly outside?: Outside;
  /** Tags of every job of the bake. */
  readonly tags?: readonly string[];
  /** How often a job is made in all for a task, where the platform loses it. @default 3 */
  readonly tries?: number;
  /** Jobs that are started in one turn. @default 100 */
  readonly startsPerTurn?: number;
  /** When the bake is given up: it is cancelled then, and has failed. */
  readonly deadline?: number;
  /** It was cancelled before. */
  readonly cancelled?: boolean;
  /** Images that it may have to build. @default none */
  readonly images?: readonly BakeImage[];
}

export interface End {
  readonly outputs?: Texts;
  readonly state?: Texts;
  readonly why?: string;
}

/** The tasks of a bake as they are now, and what follows when one of them runs or ends. */
export class Progress {
  readonly graph: Graph;
  readonly values: Values;
  readonly images: Images;
  /** Tasks to be looked at. */
  readonly ready = new Queue<TaskNode>();
  /** Tasks that something outside is awaited for. */
  readonly active = new Set<TaskNode>();
  /** Decided since the last turn. */
  records: RecordChange[] = [];
  acts: Act[] = [];
  unfinished: number;
  cancelling = false;
  /** The bake's result, whatever became of its tasks. */
  verdict: UnwantedEnd | undefined;
  now = 0;

  constructor(tasks: readonly BatchTask[], options: BakeOptions) {
    const { home, outside = {} } = options;
    this.graph = graphOf(tasks);
    this.values = new Values(home, outside, this.graph.nodes);
    this.images = new Images(options, this.values);
    this.unfinished = this.graph.top.length;
  }

  start(node: TaskNode, jobId: string | null): void {
    node.phase = 'started';
    node.jobId = jobId;
    node.heard = false;
    this.active.add(node);
    this.#write(node, 'pending', this.now, { jobId });
    if (node.kind === 'job') this.place(node);
  }

  /** A job takes its place of max_parallel. */
  place(node: TaskNode): void {
    if (node.placed) return;
    node.placed = true;
    for (const scope of scopesOf(node, this.graph.scope)) scope.unfinished += 1;
  }

  /** A job waits for a place in a scope that is full; one that it was let go for in another scope is another's. */
  hold(node: TaskNode, full: Scope<TaskNode>): void {
    node.phase = 'held';
    full.hold(node);
    for (const scope of scopesOf(node, this.graph.scope)) if (scope !== full) this.release(scope);
  }

  release(scope: Scope<TaskNode>): void {
    for (const held of scope.release()) this.wake(held);
  }

  open(call: TaskNode): void {
    call.phase = 'open';
    this.#write(call, 'pending', this.now, { jobId: null });
    this.unblock(call.children);
    this.settle(call);
  }

  /** What follows for a call from its tasks. */
  settle(call: TaskNode): void {
    if (call.phase === 'open' && call.idle === 0) this.runs(call, this.now);
    if (call.phase === 'open' && call.unfinished === 0) this.#close(call);
  }

  #close(call: TaskNode): void {
    const failed = call.children.some(({ status }) => status === 'failed');
    const cancelled = call.children.some(({ status }) => status === 'cancelled');
    if (failed || cancelled) this.finish(call, failed ? 'failed' : 'cancelled', this.now);
    else {
      let end: End;
      try {
        end = { outputs: this.values.outputs(call) };
      } catch (error) {
        end = { why: reasonOf(error, call.task.source) };
      }
      this.finish(call, end.why === undefined ? 'succeeded' : 'failed', this.now, end);
    }
  }

  finish(
    node: TaskNode,
    status: BakeResult | 'skipped' | 'cached',
    at: number,
    { outputs = {}, state = {}, why }: End = {},
  ): void {
    const { key } = node;
    const kept = status === 'succeeded' && node.kind === 'job' && key !== undefined;
    const first = node.status === undefined;
    node.phase = 'done';
    node.outputs = outputs;
    node.state = state;
    this.active.delete(node);
    this.#write(node, status, at, {
      ...(first ? { jobId: node.jobId } : {}),
      outputs,
      state,
      ...(why === undefined ? {} : { why }),
      ...(kept ? { keep: { key, needs: node.gate?.lineage ?? [] } } : {}),
    });
    if (node.placed) for (const scope of scopesOf(node, this.graph.scope)) scope.unfinished -= 1;
    node.placed = false;
    // Also where it took no place: it may have been let go for one.
    if (node.kind === 'job') for (const scope of scopesOf(node, this.graph.scope)) this.release(scope);
    this.runs(node, at);
    if ((status === 'failed' || status === 'cancelled') && node.task.run.strategy.failFast) this.cancel();
    this.completed(node);
  }

  /** It runs, or has ended without. */
  runs(node: TaskNode, at: number): void {
    // Another try runs again; what waited for the first one does not wait again.
    if (node.phase !== 'done' && node.status !== 'running') this.#write(node, 'running', at, {});
    if (node.ran) return;
    const call = this.ran(node);
    if (call !== undefined) this.settle(call);
  }

  /** It is known to run. Returns its call where it was the last in it. */
  ran(node: TaskNode): TaskNode | undefined {
    node.ran = true;
    for (const gate of node.wakeRunning) if (gate.met()) this.unblock(gate.members);
    const { parent } = node;
    if (parent === undefined) return undefined;
    parent.idle -= 1;
    return parent.idle === 0 ? parent : undefined;
  }

  completed(node: TaskNode): void {
    for (const gate of node.wakeCompleted) if (gate.met()) this.unblock(gate.members);
    const { parent } = node;
    if (parent === undefined) this.unfinished -= 1;
    else {
      parent.unfinished -= 1;
      this.settle(parent);
    }
  }

  unblock(nodes: readonly TaskNode[]): void {
    for (const node of nodes) {
      node.blocked -= 1;
      if (node.blocked === 0) this.wake(node);
    }
  }

  wake(node: TaskNode): void {
    if (node.phase !== 'waiting' && node.phase !== 'held') return;
    node.phase = 'ready';
    this.ready.push(node);
  }

  /** From here on nothing starts but `always()`, and of what runs nothing else goes on. */
  cancel(): void {
    if (this.cancelling) return;
    this.cancelling = true;
    for (const node of [...this.active]) {
      if (node.phase === 'looking') {
        this.active.delete(node);
        node.phase = 'waiting';
        this.wake(node);
      } else if (node.always) continue;
      else if (node.kind === 'local') this.finish(node, 'cancelled', this.now);
      else if (node.phase === 'started') {
        node.killed = true;
        this.acts.push({ kind: 'kill', task: node.task.id, jobId: node.jobId as string });
      }
    }
    for (const node of this.images.cancel()) this.wake(node);
    const scopes = [...this.graph.nodes.values()].flatMap(({ scope }) => scope ?? []);
    for (const scope of [this.graph.scope, ...scopes]) for (const held of scope.releaseAll()) this.wake(held);
  }

  #write(node: TaskNode, status: RecordChange['status'], at: number, more: Partial<RecordChange>): void {
    node.status = status;
    this.records.push({ task: node.task.id, status, at, ...more });
  }
}
