import { scopeOf } from '../expr/scope.ts';
import { type Block, entriesOf, fieldOf } from '../file/block.ts';

import type { Expr } from '../file/expr.ts';
import { str } from '../python/text.ts';
import { Dict, Later, Path, PySet, Struct, truthy, Url, type Value } from '../python/value.ts';
import { git } from './contexts.ts';
import { type Layered, layered, type MergedField } from './merge.ts';
import {
  asContext,
  each,
  evaluateExpr,
  evaluateList,
  evaluateMap,
  type FieldScope,
  isKnown,
  type Known,
  Refused,
  Residual,
} from './outcome.ts';
import { volume, volumeOfReference } from './place.ts';
import type { World } from './world.ts';

export interface CacheConf {
  readonly strategy: 'none' | 'default';
  /** Seconds; a whole number where it is the built-in one. */
  readonly lifeSpan: bigint | number;
}
export interface StrategyConf {
  readonly failFast: boolean;
  readonly maxParallel: bigint;
}
/** What tasks take where they have nothing of their own. */
export interface Defaults {
  readonly volumes: readonly Known[];
  readonly workdir: Known;
  readonly lifeSpan: Known;
  readonly scheduleTimeout: Known;
  readonly preset: Known;
}
export const NO_DEFAULTS: Defaults = {
  volumes: [],
  workdir: null,
  lifeSpan: null,
  scheduleTimeout: null,
  preset: null,
};
export const BASE_CACHE: CacheConf = { strategy: 'default', lifeSpan: 1_209_600n };

export type Contexts = Readonly<Record<string, Value>>;

interface ScopeOptions {
  /** Ids that the `needs` context will have. */
  readonly needs?: ReadonlySet<string>;
  /** Running jobs can be asked for. */
  readonly jobs?: boolean;
}

/** A scope of contexts for fields; names in `later` are waited for. */
export function fieldScope(
  world: World,
  contexts: Contexts,
  later: readonly string[] = [],
  more: ScopeOptions = {},
): FieldScope {
  const { place, workspace } = world;
  return {
    place,
    scope: scopeOf(contexts, {
      later,
      ...(more.needs === undefined ? {} : { keys: { needs: more.needs } }),
      outside: {
        ...(more.jobs === true ? { jobs: true } : {}),
        parseVolume: (text) => volumeOfReference(text, place),
        ...(workspace.hashFiles === undefined ? {} : { hashFiles: workspace.hashFiles }),
      },
    }),
  };
}

/** A constant, or the value of an expression that may use nothing. @throws Refused */
export const evaluateAlone = (world: World, expr: Expr | undefined): Value => {
  if (expr === undefined) return null;
  const value = evaluateExpr(expr, fieldScope(world, {}));
  return isKnown(value) ? value : null;
};

export const id2tag = (id: string): string => id.replaceAll('_', '-').toLowerCase();

export function projectContext(world: World, project: Block | undefined, fallbackId: string): Struct {
  const of = (name: string): Value => evaluateAlone(world, fieldOf(project, name, 'expr'));
  const id = project === undefined ? fallbackId : of('id');
  const name = of('project_name');
  return new Struct('ProjectCtx', { id, project_name: truthy(name) ? name : world.place.project, owner: of('owner') });
}

export function flowContext(world: World, flow: Block, name: string, project: Struct): Struct {
  const of = (key: string): Value => evaluateAlone(world, fieldOf(flow, key, 'expr'));
  const given = of('id');
  const id = given === null ? name.replaceAll('-', '_') : given;
  const title = of('title');
  const base = {
    flow_id: id,
    project_id: project.fields.id ?? null,
    workspace: new Path(world.workspace.root, true),
    title: truthy(title) ? title : id,
    username: world.place.user,
  };
  return flow.name === 'batchFlow'
    ? new Struct('BatchFlowCtx', { ...base, life_span: of('life_span') })
    : new Struct('FlowCtx', base);
}

/** The `flow` context inside of an action. */
export function actionFlow(flow: Struct, actionFile: string): Struct {
  const { life_span: _, action_path: __, ...base } = flow.fields;
  const folder = actionFile.includes('/') ? actionFile.slice(0, actionFile.lastIndexOf('/')) || '/' : '.';
  return new Struct('ActionFlowCtx', { ...base, action_path: new Path(folder, true) });
}

/** @throws Refused where one has no value or is not known, unless the world leaves parameters open */
export function paramsContext(world: World, block: Block, at: FieldScope, strict: boolean): Dict {
  const given = world.params ?? {};
  const declared = entriesOf(block, 'params');
  const extra = strict ? Object.keys(given).filter((name) => !declared.has(name)) : [];
  for (const name of extra) {
    const names = [...declared.keys()].join(', ') || 'none';
    block.report.add(
      'FLOW_PARAM',
      { start: block.start, end: block.start + 1 },
      `there is no parameter \`${name}\``,
      `there are: ${names}`,
    );
  }
  const entries = each(declared, ([name, param]): readonly [string, Value] => {
    const own = Object.hasOwn(given, name) ? given[name] : undefined;
    if (own !== undefined) return [name, own];
    const value = fieldOf(param, 'default', 'expr');
    const result = value === undefined ? null : evaluateExpr(value, at);
    if (result !== null) return [name, asContext(result)];
    if (world.openParams === true) return [name, new Later('params')];
    param.report.add(
      'FLOW_PARAM',
      param.key ?? param,
      `the parameter \`${name}\` has no value`,
      `give it by --param ${name}=VALUE, or a default here`,
    );
    throw new Refused();
  });
  if (extra.length > 0) throw new Refused();
  return new Dict(entries);
}

/** Flow defaults over project defaults. */
export function defaultsBlock(flow: Block, project: Block | undefined): Layered | undefined {
  const own = fieldOf(flow, 'defaults', 'block');
  const global = fieldOf(project, 'defaults', 'block');
  return own !== undefined && global !== undefined ? layered(own, global) : (own ?? global);
}

export interface DefaultsResult {
  readonly defaults: Defaults;
  readonly env: Dict;
  readonly tags: PySet;
}

/** @throws Refused */
export function evaluateDefaults(block: Layered | undefined, at: FieldScope, flow: Struct): DefaultsResult {
  const own = [
    `project:${id2tag(str(flow.fields.project_id ?? ''))}`,
    `flow:${id2tag(str(flow.fields.flow_id ?? ''))}`,
  ];
  if (block === undefined) return { defaults: NO_DEFAULTS, env: new Dict(), tags: new PySet(own) };
  const parts: Record<string, Known> = {};
  let env: readonly (readonly [string, Known])[] = [];
  let tags: readonly Known[] = [];
  let volumes: readonly Known[] = [];
  each<() => void, true>(
    [
      () => {
        env = evaluateMerged(block.fields.env, at);
      },
      () => {
        tags = evaluateMergedList(block.fields.tags, at);
      },
      () => {
        volumes = evaluateMergedList(block.fields.volumes, at).filter((item) => !isKnown(item) || truthy(item));
      },
      ...['workdir', 'life_span', 'preset', 'schedule_timeout'].map((name) => () => {
        parts[name] = evaluateOne(block.fields[name], at);
      }),
    ],
    (run) => {
      run();
      return true;
    },
  );
  const of = (name: string): Known => parts[name] ?? null;
  return {
    defaults: {
      volumes,
      workdir: of('workdir'),
      lifeSpan: of('life_span'),
      scheduleTimeout: of('schedule_timeout'),
      preset: of('preset'),
    },
    env: new Dict(env.map(([name, value]) => [name, asContext(value)])),
    tags: new PySet([...tags.map((tag) => (tag instanceof Residual ? tag.$expr : tag)), ...own]),
  };
}

/** A value field; null where it is not there. @throws Refused */
export function evaluateOne(field: MergedField | undefined, at: FieldScope): Known {
  return field?.kind === 'expr' ? evaluateExpr(field, at) : null;
}

/** Items of a list field and of those laid under it; a template that waits stands for its items. @throws Refused */
export function evaluateMergedList(field: MergedField | undefined, at: FieldScope): readonly Known[] {
  const fields = field === undefined ? [] : field.kind === 'merged' ? field.fields : [field];
  return each(fields, (part): readonly Known[] => {
    if (part.kind !== 'list' && part.kind !== 'whole') return [];
    const items = evaluateList(part, at);
    return isKnown(items) ? items : [items];
  }).flat();
}

/** Entries of a mapping field and of those laid under it; earlier ones win. @throws Refused */
export function evaluateMerged(field: MergedField | undefined, at: FieldScope): readonly (readonly [string, Known])[] {
  const fields = field === undefined ? [] : field.kind === 'merged' ? field.fields : [field];
  const result = new Map<string, Known>();
  const maps = each(fields.toReversed(), (part) => {
    if (part.kind !== 'map' && part.kind !== 'whole') return new Map<string, Known>();
    const entries = evaluateMap(part, at);
    return isKnown(entries) ? entries : new Map<string, Known>([['$expr', entries]]);
  });
  for (const map of maps) for (const [name, value] of map) result.set(name, value);
  return [...result];
}

/** @throws Refused */
export function volumesContext(blocks: ReadonlyMap<string, Block>, at: FieldScope, workspace: string): Dict {
  const entries = each(blocks, ([id, block]): readonly [string, Value] => {
    const one = (name: string): Value => {
      const expr = fieldOf(block, name, 'expr');
      return expr === undefined ? null : asContext(evaluateExpr(expr, at));
    };
    const values = each(['local', 'remote', 'mount', 'read_only'], one);
    const [local = null, remote = null, mount = null, readOnly = null] = values;
    const unknown = values.find((value) => value instanceof Later);
    if (unknown !== undefined) return [id, unknown];
    const localPath = local instanceof Path ? local : null;
    return [
      id,
      volume({
        id,
        remote: remote instanceof Url ? remote : new Url(''),
        mount: mount instanceof Path ? mount : new Path('', false),
        readOnly: truthy(readOnly),
        local: localPath,
        fullLocalPath: fullPath(localPath, workspace),
      }),
    ];
  });
  return new Dict(entries);
}

export function fullPath(path: Path | null, workspace: string): Path | null {
  if (path === null || path.text.startsWith('/')) return path;
  const parts: string[] = [];
  for (const part of `${workspace}/${path.text}`.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return new Path(`/${parts.join('/')}`, true);
}

/** A step of the chain of caches: a life span can only shrink. @throws Refused */
export function cacheOf(base: CacheConf, block: Block | undefined, at: FieldScope): CacheConf {
  if (block === undefined) return base;
  const given = fieldOf(block, 'strategy', 'choice')?.value ?? 'inherit';
  const strategy = given === 'inherit' ? base.strategy : (given as CacheConf['strategy']);
  const expr = fieldOf(block, 'life_span', 'expr');
  const own = expr === undefined ? null : evaluateExpr(expr, at);
  return { strategy, lifeSpan: typeof own === 'number' && own < Number(base.lifeSpan) ? own : base.lifeSpan };
}

/** `fail_fast` and `max_parallel` of a block, else those inherited. @throws Refused */
export function strategyOf(base: StrategyConf, block: Layered | undefined, at: FieldScope): StrategyConf {
  const [failFast = null, maxParallel = null] = each(['fail_fast', 'max_parallel'], (name) =>
    evaluateOne(block?.fields[name], at),
  );
  return {
    failFast: typeof failFast === 'boolean' ? failFast : base.failFast,
    maxParallel: typeof maxParallel === 'bigint' ? maxParallel : base.maxParallel,
  };
}

export const strategyContext = ({ failFast, maxParallel }: StrategyConf): Struct =>
  new Struct('StrategyCtx', { fail_fast: failFast, max_parallel: maxParallel });

export const gitContext = (world: World, atRun: boolean): Value | undefined =>
  atRun ? (world.git === undefined ? undefined : git(world.git)) : git(null);
