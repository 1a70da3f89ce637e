import { nearest } from '@delos/core';
import { longer } from '../expr/evaluate.ts';
import { type Block, fieldOf, type NeedsLevel, type Tasks } from '../file/block.ts';
import type { Expr } from '../file/expr.ts';
import type { Dict } from '../python/value.ts';
import { checkCycle } from './cycle.ts';
import type { CacheConf, StrategyConf } from './inherited.ts';
import type { Layered, Mixins } from './merge.ts';
import { attempt, type FieldScope } from './outcome.ts';
import { TaskBuilder } from './task-builder.ts';
import type { Files, World } from './world.ts';

/** One node of a flow's or an action's graph. */
export interface TaskNode {
  /** `batch` and `module` open a graph of their own. */
  readonly kind: 'task' | 'stateful' | 'post' | 'local' | 'batch' | 'module';
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

/** What a node needs; rows whose needs are the same share one. */
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

/** Nodes of a list of tasks. All faults are reported; what they leave is there, so that they hide no others. */
export function buildGraph(tasks: Tasks | undefined, place: GraphPlace): Graph {
  const nodes = new Map<string, TaskNode>();
  const posts: TaskNode[][] = [];
  const wanted: Wanted[] = [];
  const missing = new Set<string>();
  let torso = tasks === undefined || tasks.torso;
  let last: Before = { ids: [], torso };
  for (const [index, task] of (tasks?.items ?? []).entries()) {
    const made = attempt(() => new TaskBuilder(task, index + 1, place, last).build());
    if (made === undefined) {
      // Its id is known all the same, so that what needs it is not reported too.
      const id = fieldOf(task, 'id', 'expr')?.constant;
      if (typeof id !== 'string') torso = true;
      else if (!nodes.has(id)) missing.add(id);
      last = { ids: [], torso: true };
      continue;
    }
    const { value } = made;
    for (const node of value.nodes) nodes.set(node.realId, node);
    for (const want of value.wanted) wanted.push(want);
    if (value.posts.length > 0) posts.push([...value.posts]);
    torso ||= value.idsOpen;
    const refusedId = task.refused.get('id');
    if (refusedId !== undefined) missing.add(refusedId);
    // A template's ids are not known.
    torso ||= refusedId?.includes('$') === true;
    const whole = !value.idsOpen && refusedId === undefined && tasks?.torso === false;
    last = { ids: value.nodes.map(({ realId }) => realId), torso: !whole };
  }
  let ids = last.ids;
  for (const group of posts.toReversed()) {
    for (const post of group) {
      const levels = new Map<string, NeedsLevel>([
        ...ids.map((id) => [id, 'completed'] as const),
        ...post.needs.levels,
      ]);
      nodes.set(post.realId, { ...post, needs: nodeNeeds(levels) });
    }
    ids = group.map(({ realId }) => realId);
  }
  const unknown = wanted.filter(({ id }) => !nodes.has(id));
  for (const want of unknown) if (!torso && !missing.has(want.id)) reportNeed(want, nodes);
  const gone = new Set(unknown.map(({ id }) => id));
  for (const [id, node] of gone.size === 0 ? [] : nodes) {
    const torn = [...node.needs.levels.keys()].some((need) => gone.has(need));
    if (torn) nodes.set(id, { ...node, needs: { ...node.needs, torso: true } });
  }
  for (const node of nodes.values()) if (node.unit !== undefined) checkImage(node, node.unit);
  checkCycle(nodes);
  return { nodes, torso };
}

function reportNeed({ id, span, of }: Wanted, nodes: Graph['nodes']): void {
  const named = [...nodes.values()].flatMap((node) => node.id ?? []);
  const others = named.filter((name) => name !== of);
  const near = nearest(id, others) ?? longer(id, named);
  const hint = near === undefined ? `there are: ${named.join(', ') || 'none with an id'}` : `did you mean \`${near}\`?`;
  span.report.add('FLOW_NEEDS', span, `there is no task \`${id}\``, hint);
}

function checkImage({ source }: TaskNode, unit: Layered): void {
  const { image } = unit.fields;
  if ((image?.kind === 'expr' && image.given !== null) || unit.refused.has('image')) return;
  source.report.add(
    'FLOW_IMAGE',
    source.name.endsWith('Call') ? unit : { start: source.start, end: source.start + 1 },
    'there is no `image`',
    'write `image:` and what to run',
  );
}
