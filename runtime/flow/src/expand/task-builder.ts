import { type Block, fieldOf, type Matrix, type NeedsLevel } from '../file/block.ts';
import { str } from '../python/text.ts';
import type { Dict } from '../python/value.ts';
import type { Span } from '../yaml/node.ts';
import { actionOf } from './action.ts';
import { groundScope, over } from './contexts/scopes.ts';
import {
  type Before,
  type GraphPlace,
  type NodeNeeds,
  nodeNeeds,
  type TaskNode,
  type Wanted,
} from './graph/task-node.ts';
import { type CacheConf, cacheOf, type StrategyConf, strategyContext, strategyOf } from './inherited.ts';
import { matrixRows } from './matrix.ts';
import { type Layered, withMixins } from './merge.ts';
import { attempt, evaluateExpr, type FieldScope, isKnown, Refused } from './outcome.ts';

interface Built {
  readonly nodes: readonly TaskNode[];
  readonly posts: readonly TaskNode[];
  readonly wanted: readonly Wanted[];
  /** Whether the ids of its rows are not known. */
  readonly idsOpen: boolean;
}

type Base = Omit<TaskNode, 'kind' | 'unit' | 'call' | 'action'>;

/** The nodes of one task of a file: one a row of its matrix, and those that run after all others. */
export class TaskBuilder {
  readonly #task: Block;
  readonly #number: number;
  readonly #place: GraphPlace;
  readonly #before: Before;
  readonly #ground: FieldScope;
  readonly #wanted: Wanted[] = [];
  #sharedNeeds: NodeNeeds | undefined;

  /** `number`: its place in the file, from 1. `before`: the task above it. */
  constructor(task: Block, number: number, place: GraphPlace, before: Before) {
    this.#task = task;
    this.#number = number;
    this.#place = place;
    this.#before = before;
    this.#ground = groundScope(place.world);
  }

  /** @throws Refused */
  build(): Built {
    const { at, early } = this.#place;
    const strategy = fieldOf(this.#task, 'strategy', 'block');
    const matrix = fieldOf(strategy, 'matrix', 'matrix');
    const rows = this.#rows(matrix, strategy);
    const conf = early
      ? this.#place.strategy
      : (attempt(() => strategyOf(this.#place.strategy, strategy, at))?.value ?? this.#place.strategy);
    const nodes: TaskNode[] = [];
    const posts: TaskNode[] = [];
    let unit: Layered = this.#task;
    let cache: CacheConf | undefined;
    let idsOpen = this.#task.refused.get('id') === '';
    for (const [index, row] of (rows ?? [undefined]).entries()) {
      const names = over(
        this.#ground,
        row === undefined ? { values: {}, later: ['matrix'] } : { values: { matrix: row } },
      );
      const { id, realId } = this.#ids(names, row);
      idsOpen ||= row === undefined && id === null && fieldOf(this.#task, 'id', 'expr')?.depends === 'row';
      cache = this.#cache(row, conf, cache);
      if (index > 0) this.#checkMixed(unit);
      const { enable } = unit.fields;
      const base: Base = {
        id,
        realId,
        needs: this.#needs(names, realId),
        matrix: row,
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
    return { nodes, posts, wanted: this.#wanted, idsOpen };
  }

  /** Undefined where they were refused: one row then stands for all, whose `matrix` is waited for. */
  #rows(matrix: Matrix | undefined, strategy: Block | undefined): readonly Dict[] | undefined {
    if (this.#task.refused.has('strategy') || strategy?.refused.has('matrix') === true) return undefined;
    return attempt(() => matrixRows(matrix, this.#place.at))?.value;
  }

  #cache(row: Dict | undefined, conf: StrategyConf, before: CacheConf | undefined): CacheConf {
    const own = this.#place.early ? undefined : fieldOf(this.#task, 'cache', 'block');
    if (before !== undefined && fieldOf(own, 'life_span', 'expr')?.depends !== 'row') return before;
    const strategy = strategyContext(conf);
    const at = over(
      this.#place.at,
      row === undefined ? { values: { strategy }, later: ['matrix'] } : { values: { strategy, matrix: row } },
    );
    return attempt(() => cacheOf(this.#place.cache, own, at))?.value ?? this.#place.cache;
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

  #ids(at: FieldScope, row: Dict | undefined): { readonly id: string | null; readonly realId: string } {
    const expr = fieldOf(this.#task, 'id', 'expr');
    const id = expr === undefined ? null : evaluateExpr(expr, at);
    if (typeof id === 'string') return { id, realId: id };
    const names = [...(row?.keys() ?? [])]
      .map(str)
      .filter((name) => name === name.toLowerCase())
      .sort();
    const values = names.map((name) => str(row?.get(name) ?? null));
    return { id: null, realId: ['task', String(this.#number), ...values].join('-') };
  }

  #needs(at: FieldScope, of: string): NodeNeeds {
    const needs = fieldOf(this.#task, 'needs', 'needs');
    const varies = needs?.entries.some(([expr]) => expr.depends === 'row') === true;
    if (!varies && this.#sharedNeeds !== undefined) return this.#sharedNeeds;
    if (needs === undefined) {
      const refused = this.#task.refused.has('needs');
      const levels = refused ? [] : this.#before.ids.map((id) => [id, 'completed'] as const);
      this.#sharedNeeds = nodeNeeds(new Map(levels), refused || this.#before.torso);
      return this.#sharedNeeds;
    }
    const levels = new Map<string, NeedsLevel>();
    let { torso } = needs;
    for (const [expr, level] of needs.entries) {
      const id = evaluateExpr(expr, at);
      if (isKnown(id)) {
        levels.set(str(id), level);
        this.#wanted.push({ id: str(id), span: expr, of });
      } else torso = true;
    }
    this.#sharedNeeds = nodeNeeds(levels, torso);
    return this.#sharedNeeds;
  }

  #call(base: Base, nodes: TaskNode[], posts: TaskNode[]): void {
    const call = this.#task;
    const isModule = call.name === 'taskModuleCall';
    const action = actionOf(call, isModule ? 'module' : 'action', this.#place);
    if (action === undefined) {
      nodes.push({ ...base, kind: 'unresolved', unit: undefined, call, action });
      return;
    }
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
          needs: nodeNeeds(new Map([[base.realId, 'completed']])),
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
