import { type Block, fieldOf } from '../file/block.ts';
import { str } from '../python/text.ts';
import { Dict, PySet, Struct, truthy } from '../python/value.ts';
import { evaluateMerged, evaluateMergedList, evaluateOne } from './collections.ts';
import { laterEntry } from './contexts/flow-contexts.ts';
import { type Layered, layered, type MergedField } from './merge.ts';
import { asContext, each, evaluateExpr, type FieldScope, isKnown, type Known } from './outcome.ts';
import { Residual } from './residual.ts';

/** How results of a task are kept. */
export interface CacheConf {
  readonly strategy: 'none' | 'default';
  /** Seconds; a whole number where it is the built-in one. */
  readonly lifeSpan: bigint | number;
}
export interface StrategyConf {
  readonly failFast: boolean;
  readonly maxParallel: bigint;
}
/** The values that tasks take where they have none of their own. */
export interface Defaults {
  readonly volumes: readonly Known[];
  readonly workdir: Known;
  readonly lifeSpan: Known;
  readonly scheduleTimeout: Known;
  readonly preset: Known;
  readonly env: ReadonlyMap<string, Known>;
}
export const NO_DEFAULTS: Defaults = {
  volumes: [],
  workdir: null,
  lifeSpan: null,
  scheduleTimeout: null,
  preset: null,
  env: new Map(),
};
export const BASE_CACHE: CacheConf = { strategy: 'default', lifeSpan: 1_209_600n };
export const BASE_STRATEGY: StrategyConf = { failFast: true, maxParallel: 10n };

export const id2tag = (id: string): string => id.replaceAll('_', '-').toLowerCase();

/** Flow defaults over project defaults. */
export function defaultsBlock(flow: Block, project: Block | undefined): Layered | undefined {
  const own = fieldOf(flow, 'defaults', 'block');
  const global = fieldOf(project, 'defaults', 'block');
  return own !== undefined && global !== undefined ? layered(own, global) : (own ?? global);
}

export interface DefaultsResult {
  readonly defaults: Defaults;
  /** The `env` context. */
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
  let env: ReadonlyMap<string, Known> = new Map();
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
  const context = new Dict([...env].map(([name, value]) => [name, asContext(value)]));
  for (const name of refusedKeys(block.fields.env)) context.set(name, laterEntry('env'));
  return {
    defaults: {
      volumes,
      workdir: of('workdir'),
      lifeSpan: of('life_span'),
      scheduleTimeout: of('schedule_timeout'),
      preset: of('preset'),
      env,
    },
    env: context,
    tags: new PySet([...tags.map((tag) => (tag instanceof Residual ? tag.$expr : tag)), ...own]),
  };
}

const refusedKeys = (field: MergedField | undefined): readonly string[] =>
  field?.kind === 'merged' ? field.fields.flatMap(refusedKeys) : field?.kind === 'map' ? [...field.refused] : [];

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
