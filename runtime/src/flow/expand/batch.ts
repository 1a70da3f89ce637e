import { type Block, entriesOf, fieldOf } from '../file/block.ts';
import type { Expr } from '../file/expr.ts';
import { str } from '../python/text.ts';
import { Dict, type PySet, type Struct, type Value } from '../python/value.ts';
import { checkImages, checkLocals, checkVolumes, type LocalCall } from './bake-checks.ts';
import {
  ACTION,
  ACTION_OUTPUTS,
  ACTION_TASK,
  checkExpr,
  FLOW_TASK,
  INPUTS_ONLY,
  type KnownNames,
  moduleTask,
  type PlaceShape,
} from './check.ts';
import {
  cacheKey,
  checkInputs,
  enableOf,
  inputsContext,
  knownInputs,
  taskTag,
  type UnitFields,
  unitFields,
} from './fields.ts';
import { buildGraph, type Graph, type GraphPlace, type TaskNode } from './graph.ts';
import { type EarlyImage, earlyImages, imagesContext } from './images.ts';
import { type Layered, resolveMixins } from './merge.ts';
import { attempt, each, evaluateExpr, type FieldScope, type Known, Refused } from './outcome.ts';
import * as setup from './setup.ts';
import type { Files, World } from './world.ts';

/** One node of an expanded flow. Ids are whole: those of calls stand before a point. */
export interface ExpandedTask {
  readonly id: string;
  /** `action` and `module` stand for the tasks whose ids begin with theirs. */
  readonly kind: 'task' | 'stateful' | 'post' | 'local' | 'action' | 'module' | 'job';
  readonly needs: Readonly<Record<string, 'completed' | 'running'>>;
  readonly enable: Known;
  /** Of a call: values of the action's inputs. */
  readonly inputs?: ReadonlyMap<string, Known>;
  /** Values of the row of the matrix. */
  readonly matrix: Dict;
  readonly fields: Partial<UnitFields>;
  readonly cacheKey: string | null;
  readonly cacheKeyReason: string | null;
  readonly source: Block;
}

/** Where the tasks of one list stand while they are expanded. */
interface Level {
  readonly prefix: readonly string[];
  readonly contexts: setup.Contexts;
  readonly later: readonly string[];
  readonly shape: PlaceShape;
  readonly inputs: ReadonlySet<string>;
  readonly defaults: setup.Defaults;
  readonly mixins: ReadonlyMap<string, Layered>;
  readonly callers: readonly Block[];
  readonly memo: WeakMap<Expr, Known>;
}

/** Sets a batch flow up, checks it and expands it. */
export class BatchExpansion {
  readonly #world: World;
  readonly #files: Files;
  readonly #flow: Block;
  readonly #project: Block | undefined;
  readonly #name: string;
  readonly #tasks: ExpandedTask[] = [];
  readonly #images: EarlyImage[] = [];
  readonly #locals: LocalCall[] = [];
  #tags: readonly string[] = [];
  #top: setup.Contexts = {};

  constructor(world: World, files: Files, flow: Block, project: Block | undefined, name: string) {
    this.#world = world;
    this.#files = files;
    this.#flow = flow;
    this.#project = project;
    this.#name = name;
  }

  run(): readonly ExpandedTask[] {
    const complete = attempt(() => this.#setUp());
    if (complete === undefined) return [];
    checkVolumes([this.#project, this.#flow]);
    checkImages(this.#images);
    checkLocals(this.#locals, this.#tasks);
    return this.#tasks;
  }

  #setUp(): void {
    const world = this.#world;
    const [flow, project] = [this.#flow, this.#project];
    const projectCtx = setup.projectContext(world, project, defaultProjectId(world));
    const flowCtx = setup.flowContext(world, flow, this.#name, projectCtx);
    // A part that is refused must not hide what is wrong with the tasks: they are expanded with what there is.
    const params = attempt(() => setup.paramsContext(world, flow, setup.fieldScope(world, {}), true));
    const first: setup.Contexts = {
      project: projectCtx,
      flow: flowCtx,
      git: setup.gitContext(world, false) as Value,
      params: params?.value ?? new Dict(),
    };
    const openParams = params === undefined ? ['params'] : [];
    if (params === undefined) delete (first as Record<string, Value>).params;
    const at = setup.fieldScope(world, first, openParams);
    const images = attempt(() => this.#earlyImages(at));
    const defaults = attempt(() => setup.evaluateDefaults(setup.defaultsBlock(flow, project), at, flowCtx));
    const volumes = attempt(() => this.#volumes(at));
    const imageCtx = images === undefined ? undefined : attempt(() => imagesContext(images.value, at));
    const own = {
      env: defaults?.value.env,
      tags: defaults?.value.tags,
      volumes: volumes?.value,
      images: imageCtx?.value,
    };
    const second = {
      ...first,
      ...Object.fromEntries(Object.entries(own).filter(([, value]) => value !== undefined)),
    } as setup.Contexts;
    const later = [
      ...openParams,
      ...Object.entries(own).flatMap(([name, value]) => (value === undefined ? [name] : [])),
    ];
    const atSecond = setup.fieldScope(world, second, later);
    const cache = attempt(() =>
      [project, flow].reduce(
        (conf, block) => setup.cacheOf(conf, fieldOf(fieldOf(block, 'defaults', 'block'), 'cache', 'block'), atSecond),
        setup.BASE_CACHE,
      ),
    );
    const strategy = attempt(() =>
      setup.strategyOf({ failFast: true, maxParallel: 10n }, setup.defaultsBlock(flow, project), atSecond),
    );
    const mixins = attempt(() =>
      resolveMixins(new Map([...entriesOf(project, 'mixins'), ...entriesOf(flow, 'mixins')])),
    );
    this.#tags = (defaults?.value.tags as PySet | undefined)?.items.map(str) ?? [];
    const conf = strategy?.value ?? { failFast: true, maxParallel: 10n };
    this.#top = { ...second, strategy: setup.strategyContext(conf) };
    const place = {
      world,
      files: this.#files,
      contexts: this.#top,
      later,
      strategy: conf,
      cache: cache?.value ?? setup.BASE_CACHE,
      mixins: mixins?.value ?? new Map(),
      early: false,
    };
    const tasks = fieldOf(flow, 'tasks', 'tasks')?.items ?? [];
    const graph = buildGraph(tasks, place);
    const git = setup.gitContext(world, true);
    const { git: _, ...rest } = this.#top;
    this.#expand(graph, place, {
      prefix: [],
      contexts: git === undefined ? rest : { ...rest, git },
      later: git === undefined ? [...later, 'git'] : later,
      shape: FLOW_TASK,
      inputs: new Set(),
      defaults: defaults?.value.defaults ?? setup.NO_DEFAULTS,
      mixins: place.mixins,
      callers: [],
      memo: new WeakMap(),
    });
  }

  #earlyImages(at: FieldScope): ReadonlyMap<string, EarlyImage> {
    const all = each([this.#project, this.#flow], (block) =>
      earlyImages(this.#world, entriesOf(block, 'images'), at, false),
    );
    const merged = new Map(all.flatMap((images) => [...images]));
    this.#images.push(...merged.values());
    return merged;
  }

  #volumes(at: FieldScope): Dict {
    const all = each([this.#project, this.#flow], (block) =>
      setup.volumesContext(entriesOf(block, 'volumes'), at, this.#world.workspace.root),
    );
    return new Dict(all.flatMap((volumes) => [...volumes.entries()]));
  }

  #expand(graph: Graph, place: GraphPlace, level: Level): void {
    for (const node of graph.values()) attempt(() => this.#node(node, place, level));
  }

  #node(node: TaskNode, place: GraphPlace, level: Level): void {
    const at = this.#scopeOf(node, level);
    const known: KnownNames = { needs: new Set(node.needs.keys()), inputs: level.inputs };
    const path = [...level.prefix, node.realId];
    const whole = (id: string): string => [...level.prefix, id].join('.');
    const base = {
      id: path.join('.'),
      needs: Object.fromEntries([...node.needs].map(([id, state]) => [whole(id), state])),
      matrix: node.matrix,
      cacheKey: null,
      cacheKeyReason: null,
      source: node.source,
    };
    const enable = checkExpr(node.enable, level.shape, known) ? attempt(() => enableOf(node, at))?.value : undefined;
    const args = this.#checkArgs(node, level, known);
    const add = (kind: ExpandedTask['kind'], fields: Partial<UnitFields>, more: Partial<ExpandedTask> = {}): void => {
      if (enable !== undefined) this.#tasks.push({ ...base, kind, enable, fields, ...more });
    };
    if (node.kind === 'batch' || node.kind === 'module') {
      add(node.kind === 'module' ? 'module' : 'action', {}, inputsOf(node, at, args));
      if (args) this.#action(node, place, level, at, path);
      return;
    }
    if (node.kind === 'local') {
      this.#locals.push({ id: base.id, needs: Object.keys(base.needs), source: node.source });
      const inputs = this.#inputs(node, at, args);
      const cmd = fieldOf(node.action, 'cmd', 'expr');
      const names = { needs: new Set<string>(), inputs: new Set(entriesOf(node.action, 'inputs').keys()) };
      if (!checkExpr(cmd, INPUTS_ONLY, names) || inputs === undefined || cmd === undefined) return;
      add('local', { cmd: evaluateExpr(cmd, inputs) }, inputsOf(node, at, args));
      return;
    }
    this.#unit(node, level, at, known, args, path, add);
  }

  #unit(
    node: TaskNode,
    level: Level,
    at: FieldScope,
    known: KnownNames,
    args: boolean,
    path: readonly string[],
    add: (kind: ExpandedTask['kind'], fields: Partial<UnitFields>, more?: Partial<ExpandedTask>) => void,
  ): void {
    const stateful = node.kind === 'stateful';
    const unit = node.unit as Layered;
    const names = stateful ? { ...known, inputs: new Set(entriesOf(node.action, 'inputs').keys()) } : known;
    const shape = stateful ? INPUTS_ONLY : level.shape;
    const bad = new Set<string>();
    for (const [name, field] of Object.entries(unit.fields)) {
      if (field.kind === 'expr' && name !== 'enable' && name !== 'id' && !checkExpr(field, shape, names)) bad.add(name);
    }
    const within = stateful ? this.#inputs(node, at, args) : at;
    if (within === undefined) return;
    const env = within.scope.lookup('env');
    const inherited = env !== undefined && 'value' in env && env.value instanceof Dict ? env.value : new Dict();
    // What the check refused already is not evaluated again.
    const good: Layered = {
      ...unit,
      fields: Object.fromEntries(Object.entries(unit.fields).filter(([name]) => !bad.has(name))),
    };
    const fields = unitFields(good, within, {
      defaults: stateful ? setup.NO_DEFAULTS : level.defaults,
      tags: [...this.#tags, taskTag(path)],
      env: new Map([...inherited.entries()].map(([name, value]) => [str(name), asKnown(value)])),
    });
    const enable = attempt(() => enableOf(node, at))?.value ?? null;
    const { key, reason } = cacheKey(node, fields, enable);
    add(node.kind as 'task', fields, {
      cacheKey: key,
      cacheKeyReason: reason,
      ...(stateful ? inputsOf(node, at, args) : {}),
    });
  }

  /** Names in the arguments of a call; true where there is nothing to say. */
  #checkArgs(node: TaskNode, level: Level, known: KnownNames): boolean {
    const args = node.call?.fields.args;
    if (node.call === undefined || node.action === undefined) return true;
    // The authority looks here at the inputs of the called action, once it is one with fields of its own.
    const inputs = node.kind === 'stateful' ? new Set(entriesOf(node.action, 'inputs').keys()) : known.inputs;
    const exprs: readonly Expr[] = args?.kind === 'map' ? args.entries.map(([, expr]) => expr) : [];
    const good = exprs.map((expr) => checkExpr(expr, level.shape, { ...known, inputs })).every(Boolean);
    return attempt(() => checkInputs(node.call as Block, entriesOf(node.action, 'inputs'))) !== undefined && good;
  }

  #inputs(node: TaskNode, at: FieldScope, args: boolean): FieldScope | undefined {
    if (node.call === undefined || !args) return undefined;
    const inputs = inputsContext(node.call, entriesOf(node.action, 'inputs'), at);
    return setup.fieldScope(this.#world, { inputs });
  }

  #contextsOf(node: TaskNode, level: Level): { readonly contexts: setup.Contexts; readonly later: readonly string[] } {
    const needing = [...node.needs.values()].includes('completed');
    const post = node.stateFrom !== undefined;
    const { needs: _, state: __, ...outer } = level.contexts;
    return {
      contexts: {
        ...outer,
        strategy: setup.strategyContext(node.strategy),
        matrix: node.matrix,
        ...(needing ? {} : { needs: new Dict() }),
        ...(post ? {} : { state: new Dict() }),
      },
      later: [
        ...level.later.filter((name) => name !== 'needs' && name !== 'state'),
        ...(needing ? ['needs'] : []),
        ...(post ? ['state'] : []),
      ],
    };
  }

  #scopeOf(node: TaskNode, level: Level): FieldScope {
    const { contexts, later } = this.#contextsOf(node, level);
    const needs = new Set([...node.needs].flatMap(([id, state]) => (state === 'completed' ? [id] : [])));
    return { ...setup.fieldScope(this.#world, contexts, later, { needs }), memo: level.memo };
  }

  /** The graph below a call of a batch action or module. */
  #action(node: TaskNode, place: GraphPlace, level: Level, at: FieldScope, path: readonly string[]): void {
    const action = node.action as Block;
    const call = node.call as Block;
    if (level.callers.includes(action)) {
      call.report.add(
        'FLOW_CYCLE',
        fieldOf(call, node.kind === 'module' ? 'module' : 'action', 'expr') ?? call,
        'this action calls itself',
      );
      throw new Refused();
    }
    const flow = setup.actionFlow(this.#top.flow as Struct, action.report.file);
    const isModule = node.kind === 'module';
    const tasks = fieldOf(action, 'tasks', 'tasks')?.items ?? [];
    const mixins = isModule ? level.mixins : new Map<string, Layered>();
    const early = { ...place, contexts: { ...this.#top, flow }, later: [], mixins, early: true };
    const earlyAt = setup.fieldScope(this.#world, early.contexts);
    const checked = attempt(() => buildGraph(tasks, early));
    const images = attempt(() => earlyImages(this.#world, entriesOf(action, 'images'), earlyAt, true));
    if (checked === undefined || images === undefined) throw new Refused();
    this.#images.push(...images.value.values());
    const inputs = inputsContext(call, entriesOf(action, 'inputs'), at);
    const parent = isModule ? this.#contextsOf(node, level) : { contexts: {}, later: [] };
    const git = setup.gitContext(this.#world, true);
    const step: setup.Contexts = {
      ...parent.contexts,
      flow,
      inputs,
      strategy: setup.strategyContext(node.strategy),
      ...(git === undefined ? {} : { git }),
    };
    const later = [...parent.later, ...(git === undefined ? ['git'] : [])];
    const imageCtx = imagesContext(images.value, setup.fieldScope(this.#world, step, later));
    const contexts = { ...step, images: imageCtx };
    const inner = setup.fieldScope(this.#world, contexts, later);
    const names = new Set(entriesOf(action, 'inputs').keys());
    const shape = isModule ? moduleTask(level.shape) : ACTION_TASK;
    const cacheBlock = fieldOf(action, 'cache', 'block');
    const cacheGood = checkExpr(fieldOf(cacheBlock, 'life_span', 'expr'), ACTION, { needs: new Set(), inputs: names });
    for (const output of entriesOf(action, 'outputs').values()) {
      checkExpr(fieldOf(output, 'value', 'expr'), ACTION_OUTPUTS, {
        needs: new Set(checked.value.keys()),
        inputs: names,
      });
    }
    const inside: GraphPlace = {
      ...place,
      contexts,
      later,
      strategy: node.strategy,
      cache: setup.cacheOf(node.cache, cacheGood ? cacheBlock : undefined, inner),
      mixins,
      early: false,
    };
    this.#expand(buildGraph(tasks, inside), inside, {
      prefix: path,
      contexts,
      later,
      shape,
      inputs: names,
      defaults: isModule ? level.defaults : setup.NO_DEFAULTS,
      mixins,
      callers: [...level.callers, action],
      memo: new WeakMap(),
    });
  }
}

/** Arguments of a call as they are, or what they wait for. */
function inputsOf(node: TaskNode, at: FieldScope, args: boolean): { readonly inputs?: ReadonlyMap<string, Known> } {
  if (node.call === undefined || !args) return {};
  const inputs = attempt(() => knownInputs(node.call as Block, entriesOf(node.action, 'inputs'), at));
  return inputs === undefined ? {} : { inputs: inputs.value };
}

const asKnown = (value: Value): Known => value;

/** The workspace's folder names the project where no project file does. */
export function defaultProjectId(world: World): string {
  const folder = world.workspace.root.split('/').at(-1) ?? '';
  const stem = /^(.+?)\.[^.]*$/.exec(folder)?.[1] ?? folder;
  const id = stem.replaceAll('-', '_');
  return id;
}
