import { type Block, entriesOf, fieldOf } from '../file/block.ts';
import type { Expr } from '../file/expr.ts';
import { Dict, type Struct, type Value } from '../python/value.ts';
import { addOutputs } from './action.ts';
import { cacheKey } from './cache-key.ts';
import type { LocalCall } from './checks/bake-checks.ts';
import {
  ACTION,
  ACTION_TASK,
  checkExpr,
  INPUTS_ONLY,
  type KnownNames,
  moduleTask,
  type PlaceShape,
} from './checks/check.ts';
import { actionFlow, gitContext } from './contexts/flow-contexts.ts';
import { type EarlyImage, earlyImages, type ImageDefinition, imagesContext } from './contexts/images.ts';
import { checkInputs, evaluateArgs, inputsContext, knownInputs } from './contexts/inputs.ts';
import { groundScope, type Overlay, over } from './contexts/scopes.ts';
import { type ExpandedTask, runFacts } from './expanded-task.ts';
import { enableOf, taskTag, type UnitFields, UnitPlan } from './fields.ts';
import { buildGraph } from './graph/graph.ts';
import type { Graph, GraphPlace, NodeNeeds, TaskNode } from './graph/task-node.ts';
import { cacheOf, type Defaults, NO_DEFAULTS, strategyContext } from './inherited.ts';
import { type Layered, NO_MIXINS } from './merge.ts';
import { attempt, evaluateExpr, type FieldScope, type Known, type Memo, Refused } from './outcome.ts';

/** The results of a batch flow's expansion so far. */
export interface Found {
  readonly tasks: ExpandedTask[];
  readonly images: EarlyImage[];
  readonly builds: ImageDefinition[];
  readonly locals: LocalCall[];
}

/** Where the tasks of one list stand while they are expanded. */
export interface Level {
  /** These belong to the whole flow: its context, the scope that its matrices are made in, and its tags. */
  readonly flow: Struct;
  readonly top: FieldScope;
  readonly tags: readonly string[];
  readonly prefix: readonly string[];
  readonly place: GraphPlace;
  /** Contexts of the tasks' fields, but for those that each task has of its own. */
  readonly at: FieldScope;
  readonly shape: PlaceShape;
  readonly inputs: ReadonlySet<string>;
  readonly defaults: Defaults;
  /** Actions within whose calls this level lies. */
  readonly callers: readonly Block[];
}

/** The parts that the rows of one task share. */
interface Shared {
  readonly at: FieldScope;
  readonly memo: Memo;
  readonly plan: UnitPlan | undefined;
  readonly unit: Layered | undefined;
  readonly needs: NodeNeeds;
  readonly known: KnownNames;
  /** Needs by whole ids. */
  readonly whole: ExpandedTask['needs'];
}

/** Expands the nodes of one graph, and those of the graphs below it. */
export class LevelExpansion {
  readonly #found: Found;
  readonly #level: Level;
  readonly #memo: Memo['place'] = new Map();
  readonly #shared = new Map<Block, Shared>();

  constructor(found: Found, level: Level) {
    this.#found = found;
    this.#level = level;
  }

  expand(graph: Graph): void {
    for (const node of graph.nodes.values()) attempt(() => this.#node(node));
  }

  #node(node: TaskNode): void {
    const shared = this.#sharedOf(node);
    const at = this.#scopeOf(node, shared);
    const { shape, prefix } = this.#level;
    const id = prefix.length === 0 ? node.realId : `${prefix.join('.')}.${node.realId}`;
    const enable = checkExpr(node.enable, shape, shared.known) ? attempt(() => enableOf(node, at))?.value : undefined;
    const args = this.#checkArgs(node, shared.known);
    const outputs = new Map<string, Known>();
    const run = runFacts(node, prefix, outputs);
    const add = (kind: ExpandedTask['kind'], fields: Partial<UnitFields>, more: Partial<ExpandedTask> = {}): void => {
      if (enable === undefined) return;
      this.#found.tasks.push({
        id,
        kind,
        needs: shared.whole,
        enable,
        matrix: node.matrix ?? new Dict(),
        fields,
        cacheKey: null,
        cacheKeyReason: null,
        source: node.source,
        run,
        ...more,
      });
    };
    switch (node.kind) {
      case 'unresolved':
        evaluateArgs(node.call, at);
        add('action', {});
        return;
      case 'batch':
      case 'module':
        add(node.kind === 'module' ? 'module' : 'action', {}, inputsOf(node, at, args));
        if (args) this.#action(node, at, [...prefix, node.realId], outputs);
        return;
      case 'local':
        this.#local(node, at, args, id, add);
        return;
      case 'stateful':
        this.#stateful(node, at, args, id, enable, add);
        return;
      default: {
        const plan = shared.plan as UnitPlan;
        const fields = plan.fields(at, [taskTag(id)]);
        const { key, reason } = cacheKey(node, fields, enable ?? null);
        add(node.kind, fields, { cacheKey: key, cacheKeyReason: reason });
      }
    }
  }

  /** The parts that a node shares with the row before it. */
  #sharedOf(node: TaskNode): Shared {
    const before = this.#shared.get(node.source);
    if (before?.needs === node.needs && before.unit === node.unit) return before;
    const known = {
      needs: node.needs.torso ? undefined : new Set(node.needs.levels.keys()),
      inputs: this.#level.inputs,
    };
    const { prefix, defaults, tags, shape } = this.#level;
    const whole = (id: string): string => [...prefix, id].join('.');
    const own = node.unit !== undefined && (node.kind === 'task' || node.kind === 'post');
    const shared: Shared = {
      at: over(this.#level.at, ownContexts(node)),
      memo: { place: this.#memo, task: before?.memo.task ?? new Map() },
      needs: node.needs,
      unit: node.unit,
      plan: own ? new UnitPlan(checked(node.unit as Layered, shape, known), { defaults, tags }) : undefined,
      known,
      whole: Object.fromEntries([...node.needs.levels].map(([id, state]) => [whole(id), state])),
    };
    this.#shared.set(node.source, shared);
    return shared;
  }

  #scopeOf({ matrix }: TaskNode, { at, memo }: Shared): FieldScope {
    const row: Overlay = matrix === undefined ? { values: {}, later: ['matrix'] } : { values: { matrix } };
    return { ...over(at, row), memo };
  }

  #local(
    node: TaskNode,
    at: FieldScope,
    args: boolean,
    id: string,
    add: (kind: 'local', fields: Partial<UnitFields>, more: Partial<ExpandedTask>) => void,
  ): void {
    const needs = node.needs.torso ? [] : Object.keys(this.#sharedOf(node).whole);
    this.#found.locals.push({ id, needs, source: node.source });
    const inputs = this.#inputs(node, at, args);
    const cmd = fieldOf(node.action, 'cmd', 'expr');
    const names = { needs: new Set<string>(), inputs: new Set(entriesOf(node.action, 'inputs').keys()) };
    if (!checkExpr(cmd, INPUTS_ONLY, names) || inputs === undefined || cmd === undefined) return;
    add('local', { cmd: evaluateExpr(cmd, inputs) }, inputsOf(node, at, args));
  }

  #stateful(
    node: TaskNode,
    at: FieldScope,
    args: boolean,
    id: string,
    enable: Known | undefined,
    add: (kind: 'stateful', fields: Partial<UnitFields>, more: Partial<ExpandedTask>) => void,
  ): void {
    const names: KnownNames = { needs: new Set(), inputs: new Set(entriesOf(node.action, 'inputs').keys()) };
    const unit = checked(node.unit as Layered, INPUTS_ONLY, names);
    const within = this.#inputs(node, at, args);
    if (within === undefined) return;
    const plan = new UnitPlan(unit, { defaults: NO_DEFAULTS, tags: this.#level.tags });
    const fields = plan.fields(within, [taskTag(id)]);
    const { key, reason } = cacheKey(node, fields, enable ?? null);
    add('stateful', fields, { cacheKey: key, cacheKeyReason: reason, ...inputsOf(node, at, args) });
  }

  /** Names in the arguments of a call; true where there is nothing to say. */
  #checkArgs(node: TaskNode, known: KnownNames): boolean {
    const { call, action } = node;
    if (call === undefined || (action === undefined && node.kind !== 'unresolved')) return true;
    const { args } = call.fields;
    // The authority looks here at the inputs of the called action, once it is one with fields of its own.
    const inputs = node.kind === 'stateful' ? new Set(entriesOf(action, 'inputs').keys()) : known.inputs;
    const exprs: readonly Expr[] = args?.kind === 'map' ? args.entries.map(([, expr]) => expr) : [];
    const good = exprs.map((expr) => checkExpr(expr, this.#level.shape, { ...known, inputs })).every(Boolean);
    if (action === undefined) return good;
    return attempt(() => checkInputs(call, entriesOf(action, 'inputs'))) !== undefined && good;
  }

  /** The scope of what sees its inputs alone. */
  #inputs(node: TaskNode, at: FieldScope, args: boolean): FieldScope | undefined {
    if (node.call === undefined || !args) return undefined;
    const inputs = inputsContext(node.call, entriesOf(node.action, 'inputs'), at);
    return over(groundScope(this.#level.place.world), { values: { inputs } });
  }

  /** The graph below a call of a batch action or module. */
  #action(node: TaskNode, at: FieldScope, path: readonly string[], outputs: Map<string, Known>): void {
    const level = this.#level;
    const { place } = level;
    const action = node.action as Block;
    const call = node.call as Block;
    const isModule = node.kind === 'module';
    if (level.callers.includes(action)) {
      const span = fieldOf(call, isModule ? 'module' : 'action', 'expr') ?? call;
      call.report.add('FLOW_CYCLE', span, 'this action calls itself');
      throw new Refused();
    }
    const flow = actionFlow(level.flow, action.report.file);
    const tasks = fieldOf(action, 'tasks', 'tasks');
    const mixins = isModule ? place.mixins : NO_MIXINS;
    const earlyAt = over(level.top, { values: { flow } });
    const graph = attempt(() => buildGraph(tasks, { ...place, at: earlyAt, mixins, early: true }))?.value;
    const images = attempt(() => earlyImages(place.world, [action], earlyAt, true))?.value;
    if (graph === undefined || images === undefined) throw new Refused();
    this.#found.images.push(...images.images.values());
    const git = gitContext(place.world);
    const values: Record<string, Value> = {
      flow,
      inputs: inputsContext(call, entriesOf(action, 'inputs'), at),
      strategy: strategyContext(node.strategy),
      ...(git === undefined ? {} : { git }),
    };
    const step = over(isModule ? at : groundScope(place.world), { values, later: git === undefined ? ['git'] : [] });
    const { context, definitions } = imagesContext(images, step, path.join('.'));
    this.#found.builds.push(...definitions);
    const inner = over(step, { values: { images: context } });
    const inputs = new Set(entriesOf(action, 'inputs').keys());
    const cacheBlock = fieldOf(action, 'cache', 'block');
    const cacheGood = checkExpr(fieldOf(cacheBlock, 'life_span', 'expr'), ACTION, { needs: new Set(), inputs });
    const needs = graph.torso ? undefined : new Set(graph.nodes.keys());
    addOutputs(outputs, action, over(inner, { values: {}, later: ['needs'], keys: { needs } }), { needs, inputs });
    const inside: GraphPlace = {
      ...place,
      at: inner,
      strategy: node.strategy,
      cache: cacheOf(node.cache, cacheGood ? cacheBlock : undefined, inner),
      mixins,
      early: false,
    };
    new LevelExpansion(this.#found, {
      ...level,
      prefix: path,
      place: inside,
      at: inner,
      shape: isModule ? moduleTask(level.shape) : ACTION_TASK,
      inputs,
      defaults: isModule ? level.defaults : NO_DEFAULTS,
      callers: [...level.callers, action],
    }).expand(buildGraph(tasks, inside));
  }
}

/** Contexts that each task has of its own, but for its rows' `matrix`. */
function ownContexts(node: TaskNode): Overlay {
  const { needs } = node;
  const values: Record<string, Value> = { strategy: strategyContext(node.strategy) };
  const later: string[] = [];
  if (needs.completed.size > 0 || needs.torso) later.push('needs');
  else values.needs = new Dict();
  if (node.stateFrom === undefined) values.state = new Dict();
  else later.push('state');
  return { values, later, keys: { needs: needs.torso ? undefined : needs.completed } };
}

/** A unit without the fields that the check refuses: what it said already is not evaluated again. */
function checked(unit: Layered, shape: PlaceShape, known: KnownNames): Layered {
  const fields = Object.entries(unit.fields).filter(
    ([name, field]) =>
      (field.kind !== 'expr' && field.kind !== 'whole') ||
      name === 'enable' ||
      name === 'id' ||
      checkExpr(field, shape, known),
  );
  return fields.length === Object.keys(unit.fields).length ? unit : { ...unit, fields: Object.fromEntries(fields) };
}

/** Arguments of a call as they are, or what they wait for. */
function inputsOf(node: TaskNode, at: FieldScope, args: boolean): { readonly inputs?: ReadonlyMap<string, Known> } {
  if (node.call === undefined || !args) return {};
  const inputs = attempt(() => knownInputs(node.call as Block, entriesOf(node.action, 'inputs'), at));
  return inputs === undefined ? {} : { inputs: inputs.value };
}
