import { nearest } from '@delos/core';
import { longer } from '../expr/evaluate.ts';
import { type Block, fieldOf, type NeedsLevel } from '../file/block.ts';
import type { Expr } from '../file/expr.ts';
import { str } from '../python/text.ts';
import type { Dict } from '../python/value.ts';
import type { Span } from '../yaml/node.ts';
import { actionOf } from './action.ts';
import { checkCycle } from './cycle.ts';
import { matrixRows } from './matrix.ts';
import { type Layered, withMixins } from './merge.ts';
import { attempt, evaluateExpr, type FieldScope, isKnown, Refused } from './outcome.ts';
import {
  type CacheConf,
  type Contexts,
  cacheOf,
  fieldScope,
  type StrategyConf,
  strategyContext,
  strategyOf,
} from './setup.ts';
import type { Files, World } from './world.ts';

/** One node of a flow's or an action's graph. */
export interface TaskNode {
  /** `batch` and `module` open a graph of their own. */
  readonly kind: 'task' | 'stateful' | 'post' | 'local' | 'batch' | 'module';
  /** As the file gives it; null where it is made up. */
  readonly id: string | null;
  readonly realId: string;
  readonly needs: ReadonlyMap<string, NeedsLevel>;
  readonly matrix: Dict;
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

export type Graph = ReadonlyMap<string, TaskNode>;

/** Where tasks of one file stand: the contexts of its matrices, and what its tasks inherit. */
export interface GraphPlace {
  readonly world: World;
  readonly files: Files;
  readonly contexts: Contexts;
  readonly later: readonly string[];
  readonly strategy: StrategyConf;
  readonly cache: CacheConf;
  readonly mixins: ReadonlyMap<string, Layered>;
  /** Before anything runs: strategies and caches are not looked at yet. */
  readonly early: boolean;
}

/** Nodes of a list of tasks. All faults are reported; what they leave is there, so that they hide no others. */
export function buildGraph(tasks: readonly Block[], place: GraphPlace): Graph {
  const nodes = new Map<string, TaskNode>();
  const posts: TaskNode[][] = [];
  const wanted: { readonly id: string; readonly span: Expr; readonly of: string }[] = [];
  const missing = new Set<string>();
  let last: readonly string[] = [];
  tasks.forEach((task, index) => {
    const made = attempt(() => new TaskBuilder(task, index + 1, place, last).build());
    if (made === undefined) {
      // Its id is known all the same, so that what needs it is not reported too.
      const id = fieldOf(task, 'id', 'expr')?.constant;
      last = typeof id === 'string' ? [id] : [];
      for (const known of last) if (!nodes.has(known)) missing.add(known);
      return;
    }
    for (const node of made.value.nodes) nodes.set(node.realId, node);
    wanted.push(...made.value.wanted);
    if (made.value.posts.length > 0) posts.push([...made.value.posts]);
    last = made.value.nodes.map(({ realId }) => realId);
  });
  for (const group of posts.toReversed()) {
    for (const post of group) {
      const needs = new Map<string, NeedsLevel>([...last.map((id) => [id, 'completed'] as const), ...post.needs]);
      nodes.set(post.realId, { ...post, needs });
    }
    last = group.map(({ realId }) => realId);
  }
  for (const { id, span, of } of wanted) {
    if (nodes.has(id) || missing.has(id)) continue;
    const named = [...nodes.values()].flatMap((node) => node.id ?? []);
    const near =
      nearest(
        id,
        named.filter((name) => name !== of),
      ) ?? longer(id, named);
    span.report.add(
      'FLOW_NEEDS',
      span,
      `there is no task \`${id}\``,
      near === undefined ? `there are: ${named.join(', ') || 'none with an id'}` : `did you mean \`${near}\`?`,
    );
  }
  for (const node of nodes.values()) if (node.unit !== undefined) checkImage(node, node.unit);
  checkCycle(nodes);
  return nodes;
}
function checkImage({ source }: TaskNode, unit: Layered): void {
  const image = unit.fields.image;
  if (image?.kind === 'expr' && image.given !== null) return;
  // A field that was refused when read is reported already.
  if (unit.present.has('image') && image === undefined) return;
  source.report.add(
    'FLOW_IMAGE',
    source.name.endsWith('Call') ? unit : { start: source.start, end: source.start + 1 },
    'there is no `image`',
    'write `image:` and what to run',
  );
}

interface Built {
  readonly nodes: readonly TaskNode[];
  readonly posts: readonly TaskNode[];
  readonly wanted: readonly { readonly id: string; readonly span: Expr; readonly of: string }[];
}

class TaskBuilder {
  readonly #task: Block;
  readonly #number: number;
  readonly #place: GraphPlace;
  readonly #before: readonly string[];

  constructor(task: Block, number: number, place: GraphPlace, before: readonly string[]) {
    this.#task = task;
    this.#number = number;
    this.#place = place;
    this.#before = before;
  }

  build(): Built {
    const { world, contexts, later } = this.#place;
    const at = fieldScope(world, contexts, later);
    const strategy = fieldOf(this.#task, 'strategy', 'block');
    const rows = matrixRows(fieldOf(strategy, 'matrix', 'matrix'), at);
    const { early } = this.#place;
    const conf = early ? this.#place.strategy : strategyOf(this.#place.strategy, strategy, at);
    const nodes: TaskNode[] = [];
    const posts: TaskNode[] = [];
    const wanted: Built['wanted'][number][] = [];
    let unit: Layered = this.#task;
    for (const [index, matrix] of rows.entries()) {
      const names = fieldScope(world, { matrix });
      const { id, realId } = this.#ids(names, matrix);
      const needs = this.#needs(names, realId, wanted);
      const own = early ? undefined : fieldOf(this.#task, 'cache', 'block');
      const cache = cacheOf(this.#place.cache, own, this.#withMatrix(matrix, conf));
      if (index > 0) this.#checkMixed(unit);
      const enable = unit.fields.enable;
      const base = {
        id,
        realId,
        needs,
        matrix,
        enable: enable?.kind === 'expr' ? enable : undefined,
        strategy: conf,
        cache,
        stateFrom: undefined,
        source: this.#task,
      };
      if (this.#task.name === 'task') {
        // The authority mixes into what the row before was mixed into already.
        unit = withMixins(unit, this.#place.mixins);
        nodes.push({ ...base, kind: 'task', unit, call: undefined, action: undefined });
      } else this.#call(base, nodes, posts);
    }
    return { nodes, posts, wanted };
  }

  #withMatrix(matrix: Dict, conf: StrategyConf): FieldScope {
    const { world, contexts, later } = this.#place;
    return fieldScope(world, { ...contexts, strategy: strategyContext(conf), matrix }, later);
  }

  /** Keys that a mixin cannot give reach the second row of a matrix, where the authority breaks on them. */
  #checkMixed(unit: Layered): void {
    for (const name of ['needs', 'cache']) {
      if (unit.fields[name]?.kind !== 'raw') continue;
      this.#task.report.add(
        'FLOW_MIXIN',
        this.#at('mixins'),
        `a mixin cannot give \`${name}\` to a task with a matrix`,
        `write \`${name}\` in the task`,
      );
      throw new Refused();
    }
  }

  #at(name: string): Span {
    const field = this.#task.fields[name];
    return field !== undefined && 'start' in field ? field : { start: this.#task.start, end: this.#task.start + 1 };
  }

  #ids(at: FieldScope, matrix: Dict): { readonly id: string | null; readonly realId: string } {
    const expr = fieldOf(this.#task, 'id', 'expr');
    const id = expr === undefined ? null : evaluateExpr(expr, at);
    if (typeof id === 'string') return { id, realId: id };
    const names = [...matrix.keys()]
      .map(str)
      .filter((name) => name === name.toLowerCase())
      .sort();
    const values = names.map((name) => str(matrix.get(name) ?? null));
    return { id: null, realId: ['task', String(this.#number), ...values].join('-') };
  }

  #needs(at: FieldScope, of: string, wanted: Built['wanted'][number][]): ReadonlyMap<string, NeedsLevel> {
    const needs = fieldOf(this.#task, 'needs', 'needs');
    if (needs === undefined) return new Map(this.#before.map((id) => [id, 'completed']));
    const result = new Map<string, NeedsLevel>();
    for (const [expr, level] of needs.entries) {
      const id = evaluateExpr(expr, at);
      if (!isKnown(id)) continue;
      result.set(str(id), level);
      wanted.push({ id: str(id), span: expr, of });
    }
    return result;
  }

  #call(base: Omit<TaskNode, 'kind' | 'unit' | 'call' | 'action'>, nodes: TaskNode[], posts: TaskNode[]): void {
    const call = this.#task;
    const isModule = call.name === 'taskModuleCall';
    const action = actionOf(call, isModule ? 'module' : 'action', this.#place);
    const batch = action.name === 'batchAction';
    const refuse = (message: string, hint?: string): never => {
      call.report.add('FLOW_ACTION', this.#at(isModule ? 'module' : 'action'), message, hint);
      throw new Refused();
    };
    const kind = action.name.replace('Action', '');
    if (isModule && !batch) refuse(`a module of kind ${kind} cannot be used in a batch flow`, 'its kind must be batch');
    if (call.fields.cache !== undefined && !batch) refuse(`a call of a ${kind} action takes no \`cache\``, 'remove it');
    const shared = { ...base, call, action };
    const none: CacheConf = { strategy: 'none', lifeSpan: 1_209_600n };
    if (batch) nodes.push({ ...shared, kind: isModule ? 'module' : 'batch', unit: undefined });
    else if (action.name === 'localAction') nodes.push({ ...shared, kind: 'local', unit: undefined, cache: none });
    else if (action.name === 'statefulAction') {
      const post = fieldOf(action, 'post', 'block');
      if (post !== undefined) {
        posts.push({
          ...base,
          kind: 'post',
          id: null,
          realId: `post-${base.realId}`,
          needs: new Map([[base.realId, 'completed']]),
          enable: fieldOf(action, 'post_if', 'expr'),
          cache: none,
          unit: post,
          call: undefined,
          action,
          stateFrom: base.realId,
        });
      }
      nodes.push({ ...shared, kind: 'stateful', unit: fieldOf(action, 'main', 'block'), cache: none });
    } else
      refuse(`an action of kind ${kind} cannot be used in a batch flow`, 'its kind must be batch, stateful or local');
  }
}
