import type { Block, NeedsLevel } from '../../file/block.ts';
import type { Expr } from '../../file/expr.ts';
import type { Dict } from '../../python/value.ts';
import type { Files, World } from '../contexts/world.ts';
import type { CacheConf, StrategyConf } from '../inherited.ts';
import type { Layered, Mixins } from '../merge.ts';
import type { FieldScope } from '../outcome.ts';

/** One node of a flow's or an action's graph. */
export interface TaskNode {
  /** `batch` and `module` open a graph of their own; the file of an `unresolved` call is not at hand. */
  readonly kind: 'task' | 'stateful' | 'post' | 'local' | 'batch' | 'module' | 'unresolved';
  /** As the file gives it; null where it is made up. */
  readonly id: string | null;
  readonly realId: string;
  readonly needs: NodeNeeds;
  /** The row; undefined where the matrix was refused. */
  readonly matrix: Dict | undefined;
  /** Undefined: `success()`, of a post task `always()`. */
  readonly enable: Expr | undefined;
  readonly strategy: StrategyConf;
  readonly cache: CacheConf;
  /** Keys of what runs, for all but calls of batch actions and local ones. */
  readonly unit: Layered | undefined;
  readonly call: Block | undefined;
  readonly action: Block | undefined;
  /** Main task whose saved states a post task sees. */
  readonly stateFrom: string | undefined;
  readonly source: Block;
}

/** The needs of a node. Rows with the same needs share one object. */
export interface NodeNeeds {
  readonly levels: ReadonlyMap<string, NeedsLevel>;
  /** Ids that the `needs` context will have. */
  readonly completed: ReadonlySet<string>;
  /** Whether some were refused: then not all of them are known. */
  readonly torso: boolean;
}

export function nodeNeeds(levels: ReadonlyMap<string, NeedsLevel>, torso = false): NodeNeeds {
  const completed = [...levels].flatMap(([id, level]) => (level === 'completed' ? [id] : []));
  return { levels, completed: new Set(completed), torso };
}

export interface Graph {
  readonly nodes: ReadonlyMap<string, TaskNode>;
  /** Whether tasks are missing that were refused. */
  readonly torso: boolean;
}

/** Where tasks of one file stand: the contexts of its matrices, and what its tasks inherit. */
export interface GraphPlace {
  readonly world: World;
  readonly files: Files;
  readonly at: FieldScope;
  readonly strategy: StrategyConf;
  readonly cache: CacheConf;
  readonly mixins: Mixins;
  /** Before anything runs: strategies and caches are not looked at yet. */
  readonly early: boolean;
}

/** Ids of the task above another. */
export interface Before {
  readonly ids: readonly string[];
  /** Whether not all of them are known. */
  readonly torso: boolean;
}

/** A need as it is written, to be looked up once all ids are known. */
export interface Wanted {
  readonly id: string;
  readonly span: Expr;
  readonly of: string;
}
