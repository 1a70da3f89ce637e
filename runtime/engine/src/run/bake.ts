import type { UnwantedEnd } from '@delos/core';
import { truthy } from '@delos/flow';
import { jobIdOf } from '../model/job-id.ts';
import type { Act, Event, Found, Turn } from '../model/messages.ts';
import type { BakeResult, TaskRecord, TaskStatus } from '../model/records.ts';
import { scopesOf } from '../state/graph.ts';
import type { BatchTask, TaskNode } from '../state/node.ts';
import { actsOf, look, submit } from './acts.ts';
import { type BakeOptions, Progress } from './progress.ts';
import { reasonOf } from './reason.ts';
import { restore, TRIES } from './restore.ts';
import { isAlways } from './values.ts';

export type { BakeOptions } from './progress.ts';

const STARTS = 100;
/** Changes of records in one turn: one transaction writes them. */
const CHANGES = 1000;

/**
 * One attempt of a bake: told of events, asked for decisions. It knows no clock; every call says what time it is.
 *
 * Its records are all that it needs to be made again, at any moment: whatever was decided and not confirmed is decided
 * again. So whoever carries its acts out may be killed at any time.
 */
export class Bake {
  readonly #progress: Progress;
  readonly #options: BakeOptions;

  /** @throws RangeError where the tasks do not fit together */
  constructor(tasks: readonly BatchTask[], options: BakeOptions, records: readonly TaskRecord[] = []) {
    this.#options = options;
    this.#progress = new Progress(tasks, options);
    restore(this.#progress, records, options);
    for (const node of this.#progress.graph.nodes.values()) if (node.blocked === 0) this.#progress.wake(node);
    if (options.cancelled === true) this.#end('cancelled');
  }

  /** When `turn` is to be called though nothing was told; undefined: it need not be. */
  get due(): number | undefined {
    const { cancelling, unfinished } = this.#progress;
    return cancelling || unfinished === 0 ? undefined : this.#options.deadline;
  }

  /** The statuses of all tasks that have one. */
  statuses(): ReadonlyMap<string, TaskStatus> {
    const { nodes } = this.#progress.graph;
    const all = [...nodes].flatMap(([id, { status }]) => (status === undefined ? [] : [[id, status] as const]));
    return new Map(all);
  }

  /** Something happened. What follows is said by the next turn. */
  tell(event: Event, now: number): void {
    const progress = this.#progress;
    progress.now = now;
    if (event.kind === 'cancel') {
      if (progress.unfinished > 0) this.#end('cancelled');
      return;
    }
    const node = progress.graph.nodes.get(event.task);
    // This event comes too late: its task has ended, or has begun another try.
    if (node === undefined || !progress.active.has(node)) return;
    const { phase } = node;
    const own = 'jobId' in event && event.jobId === node.jobId;
    if (event.kind === 'job' && phase === 'started' && own) {
      node.heard = true;
      if (event.status === 'running') progress.runs(node, event.at);
    } else if (event.kind === 'ended' && phase === 'started' && own) this.#ended(node, event);
    else if (event.kind === 'log' && phase === 'reading' && own && node.end !== undefined)
      progress.finish(node, node.end.status, node.end.at, event);
    else if (event.kind === 'looked' && phase === 'looking' && node.key === event.key) this.#looked(node, event.found);
    else if (event.kind === 'ran' && phase === 'started' && node.kind === 'local')
      progress.finish(node, event.succeeded ? 'succeeded' : 'failed', now, { outputs: event.outputs });
    else if (event.kind === 'refused' && own) progress.finish(node, 'failed', now, { why: event.why });
  }

  /**
   * What follows from all that was told.
   * @param starts tasks that may begin in it; 0: what was begun is to be made first
   */
  turn(now: number, starts = this.#options.startsPerTurn ?? STARTS): Turn {
    const progress = this.#progress;
    const { deadline = Number.POSITIVE_INFINITY } = this.#options;
    progress.now = now;
    if (now >= deadline && progress.unfinished > 0 && !progress.cancelling) this.#end('failed');
    while (progress.acts.length < starts && progress.records.length < CHANGES) {
      const node = progress.ready.shift();
      if (node === undefined) break;
      if (node.phase === 'ready') this.#try(node, () => this.#begin(node));
    }
    const turn = { records: progress.records, acts: progress.acts, more: progress.ready.size > 0 };
    progress.records = [];
    progress.acts = [];
    return progress.unfinished > 0 ? turn : { ...turn, result: this.#result() };
  }

  /** All that was decided and is not confirmed: to be carried out at the start and at intervals, since acts and events may be lost. */
  outstanding(now: number): readonly Act[] {
    const { active, values } = this.#progress;
    const { tags = [] } = this.#options;
    return [...active].flatMap((node) => actsOf(node, values, { tags, now }));
  }

  #result(): BakeResult {
    const { verdict, graph } = this.#progress;
    if (verdict !== undefined) return verdict;
    let result: BakeResult = 'succeeded';
    for (const { status } of graph.nodes.values()) {
      if (status === 'failed') return 'failed';
      if (status === 'cancelled') result = 'cancelled';
    }
    return result;
  }

  #end(verdict: UnwantedEnd): void {
    this.#progress.verdict = verdict;
    this.#progress.cancel();
  }

  /** A task that has no value for something has failed: the file says what is not there. */
  #try(node: TaskNode, run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#progress.finish(node, 'failed', this.#progress.now, { why: reasonOf(error, node.task.source) });
    }
  }

  /** A task whose needs are met. */
  #begin(node: TaskNode): void {
    const progress = this.#progress;
    const enable = progress.values.enable(node);
    node.always = isAlways(enable);
    if (!truthy(enable) || (progress.cancelling && !node.always)) progress.finish(node, 'skipped', progress.now);
    else if (node.kind === 'call') progress.open(node);
    else if (node.kind === 'local') {
      const cmd = progress.values.command(node);
      progress.start(node, null);
      progress.acts.push({ kind: 'local', task: node.task.id, cmd });
    } else this.#job(node);
  }

  /** A job: where there is a place for it, and no result of it. */
  #job(node: TaskNode): void {
    const progress = this.#progress;
    const { maxParallel } = node;
    if (maxParallel < 1) throw new RangeError(`max_parallel is ${maxParallel}: the task would never start`);
    const full = scopesOf(node, progress.graph.scope).find(({ unfinished }) => unfinished >= maxParallel);
    if (full !== undefined) {
      progress.hold(node, full);
      return;
    }
    if (node.missed) {
      this.#submit(node);
      return;
    }
    const { key } = progress.values.job(node, []);
    node.key = key;
    if (key === undefined) this.#submit(node);
    else {
      node.phase = 'looking';
      progress.active.add(node);
      progress.acts.push(look(node, key, progress.now));
    }
  }

  #submit(node: TaskNode): void {
    const { values, acts } = this.#progress;
    const { job } = values.job(node, this.#options.tags ?? []);
    this.#progress.start(node, jobIdOf(this.#options.attempt, node.task.id, node.try));
    acts.push(submit(node, job));
  }

  #looked(node: TaskNode, found: Found | null): void {
    const progress = this.#progress;
    if (found !== null) {
      node.jobId = found.jobId;
      progress.finish(node, 'cached', progress.now, found);
      return;
    }
    progress.active.delete(node);
    node.missed = true;
    node.phase = 'waiting';
    progress.wake(node);
  }

  #ended(node: TaskNode, { jobId, status, at, startedAt }: Event & { readonly kind: 'ended' }): void {
    const progress = this.#progress;
    const { tries = TRIES } = this.#options;
    node.heard = true;
    if (status !== 'lost') {
      if (status === 'succeeded') progress.runs(node, startedAt ?? at);
      node.end = { status, at };
      node.phase = 'reading';
      progress.acts.push({ kind: 'read', task: node.task.id, jobId });
    } else if (progress.cancelling && !node.always) progress.finish(node, 'cancelled', at);
    else if (node.try >= tries)
      progress.finish(node, 'failed', at, { why: `the platform lost its job ${node.try} times` });
    else {
      node.try += 1;
      this.#try(node, () => this.#submit(node));
    }
  }
}
