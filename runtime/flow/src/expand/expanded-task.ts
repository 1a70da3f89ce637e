import type { Block } from '../file/block.ts';
import type { Dict } from '../python/value.ts';
import type { UnitFields } from './fields.ts';
import type { TaskNode } from './graph/task-node.ts';
import type { CacheConf, StrategyConf } from './inherited.ts';
import type { Known } from './outcome.ts';

/** One node of an expanded flow. Ids are whole: those of calls stand before a point. */
export interface ExpandedTask {
  readonly id: string;
  /** `action` and `module` stand for the tasks whose ids begin with theirs. */
  readonly kind: 'task' | 'stateful' | 'post' | 'local' | 'action' | 'module' | 'job';
  readonly needs: Readonly<Record<string, 'completed' | 'running'>>;
  readonly enable: Known;
  /** Values of the action's inputs, where this is a call. */
  readonly inputs?: ReadonlyMap<string, Known>;
  /** Values of the row of the matrix. */
  readonly matrix: Dict;
  readonly fields: Partial<UnitFields & LiveFields>;
  readonly cacheKey: string | null;
  readonly cacheKeyReason: string | null;
  readonly source: Block;
  /** What is needed to run it; only tasks of batch flows have it. */
  readonly run?: RunFacts;
}

/** How a task of a batch flow is run. */
export interface RunFacts {
  /** The id as the file gives it; null where it is made up. */
  readonly givenId: string | null;
  readonly strategy: StrategyConf;
  readonly cache: CacheConf;
  /** The whole id of the task whose saved states a post task sees. */
  readonly stateFrom: string | undefined;
  /** Outputs of a call of a batch action or module. They wait for `needs`: the results of all tasks inside. */
  readonly outputs: ReadonlyMap<string, Known>;
}

/** Fields that only jobs of live flows have. */
export interface LiveFields {
  readonly detach: Known;
  readonly browse: Known;
  readonly port_forward: readonly Known[];
}

/** `prefix`: ids of the calls that the node lies in. `outputs` may be filled later. */
export function runFacts(node: TaskNode, prefix: readonly string[], outputs: ReadonlyMap<string, Known>): RunFacts {
  const stateFrom = node.stateFrom === undefined ? undefined : [...prefix, node.stateFrom].join('.');
  return { givenId: node.id, strategy: node.strategy, cache: node.cache, stateFrom, outputs };
}
