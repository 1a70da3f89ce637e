import type { Dict, ExpandedTask, RunFacts, Value } from '@delos/flow';
import type { BakeResult, Lineage, TaskStatus, Texts } from '../model/records.ts';
import { Scope } from './scope.ts';

/** A task of a batch flow, as it is expanded. */
export type BatchTask = ExpandedTask & { readonly run: RunFacts };

/**
 * Where a task stands. `waiting` for needs or its call; `ready` to be looked at; `looking` in the cache; `held` by
 * max_parallel; `started`; `reading` the log of its job, which has ended; `open`: a call whose tasks run; `done`.
 */
export type Phase = 'waiting' | 'ready' | 'looking' | 'held' | 'started' | 'reading' | 'open' | 'done';

const NO_TEXTS: Texts = {};

/** What some tasks wait for together. */
export interface Gate {
  readonly members: readonly TaskNode[];
  /** One need is met; true where it was the last. */
  met(): boolean;
  /** The `needs` context, its JSON, and where it comes from; of an open gate only. */
  readonly context: Dict;
  readonly json: string;
  readonly lineage: Lineage['needs'];
  /** Values of templates that wait for the needs alone, by their text. */
  readonly values: Map<string, Value>;
}

/** A task while its bake runs. */
export class TaskNode {
  readonly task: BatchTask;
  /** As the tasks beside it call it. */
  readonly localId: string;
  readonly kind: 'job' | 'call' | 'local';
  readonly parent: TaskNode | undefined;
  readonly maxParallel: number;
  gate: Gate | undefined;
  readonly wakeRunning: Gate[] = [];
  readonly wakeCompleted: Gate[] = [];
  readonly children: TaskNode[] = [];
  /** Of a call: what its tasks are counted in. */
  readonly scope: Scope<TaskNode> | undefined;
  /** Of a call: tasks in it that do not run yet, and those that have not ended. */
  idle = 0;
  unfinished = 0;

  phase: Phase = 'waiting';
  /** What keeps it from being looked at: its gate, and the call that it lies in. */
  blocked = 0;
  status: TaskStatus | undefined;
  jobId: string | null = null;
  try = 1;
  outputs: Texts = NO_TEXTS;
  state: Texts = NO_TEXTS;
  /** It was said that it runs. */
  ran = false;
  /** It survives when the bake is cancelled. */
  always = false;
  /** Something was heard of its job. */
  heard = false;
  killed = false;
  /** Whether it takes a place of max_parallel. */
  placed = false;
  /** The cache has no result for it. */
  missed = false;
  key: string | undefined;
  end: { readonly status: BakeResult; readonly at: number } | undefined;
  /** The `inputs` context: of a call, for the tasks in it; of a stateful or local action, its own. */
  inputs: Dict | undefined;

  constructor(task: BatchTask, parent: TaskNode | undefined) {
    this.task = task;
    this.parent = parent;
    this.localId = parent === undefined ? task.id : task.id.slice(parent.task.id.length + 1);
    this.kind = task.kind === 'action' || task.kind === 'module' ? 'call' : task.kind === 'local' ? 'local' : 'job';
    this.maxParallel = Number(task.run.strategy.maxParallel);
    this.scope = this.kind === 'call' ? new Scope<TaskNode>() : undefined;
  }
}
