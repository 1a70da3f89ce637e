import { hash } from 'node:crypto';
import { jsonText, toJson } from '../python/json.ts';
import { compareText } from '../python/text.ts';
import type { Value } from '../python/value.ts';
import type { UnitFields } from './fields.ts';
import type { TaskNode } from './graph/task-node.ts';
import type { CacheConf, StrategyConf } from './inherited.ts';
import type { Known } from './outcome.ts';
import { Residual } from './residual.ts';

export interface CacheKey {
  readonly key: string | null;
  /** Why there is none. */
  readonly reason: string | null;
}

/** Fields of single values, in the order of their names among all that the key is made over. */
const BEFORE_ENV = ['cmd', 'enable', 'entrypoint'] as const;
const BEFORE_ID = ['http_auth', 'http_port'] as const;
const BEFORE_STRATEGY = ['image', 'life_span', 'name', 'pass_config', 'preset', 'restart', 'schedule_timeout'] as const;
const SINGLE = [...BEFORE_ENV, ...BEFORE_ID, ...BEFORE_STRATEGY, 'title', 'workdir'] as const;

/**
 * The key under which the result of a task is kept: the hash of a JSON text over every field in order of their names,
 * and over the results of all that it needs, which are not known here.
 */
export function cacheKey(node: TaskNode, fields: UnitFields, enable: Known): CacheKey {
  if (node.needs.completed.size > 0) return { key: null, reason: 'needs the results of other tasks' };
  if (node.stateFrom !== undefined) return { key: null, reason: 'needs the states of another task' };
  const open =
    openIn(SINGLE.map((name) => (name === 'enable' ? enable : fields[name]))) ??
    openIn(fields.volumes) ??
    openIn(fields.tags) ??
    openIn(fields.env.values());
  if (open !== undefined) return { key: null, reason: `waits for ${open.waits.join(', ')}` };
  return { key: settledCacheKey(node, fields, enable, { needs: '{}', state: '{}' }), reason: null };
}

/** The JSON texts (`contextJson`) of what a task was given when it was about to run. */
export interface GivenJson {
  readonly needs: string;
  readonly state: string;
}

/** The key of a task whose every field has its value. */
export function settledCacheKey(
  node: { readonly id: string | null; readonly cache: CacheConf; readonly strategy: StrategyConf },
  fields: UnitFields,
  enable: Known,
  given: GivenJson,
): string {
  const all = { ...fields, enable };
  const single = (names: readonly (typeof SINGLE)[number][]): string =>
    names.map((name) => `"${name}": ${json(all[name])}`).join(', ');
  const { cache, strategy } = node;
  const task = [
    `"cache": {"life_span": ${json(cache.lifeSpan)}, "strategy": "${cache.strategy}"}, "caching_key": ""`,
    single(BEFORE_ENV),
    `"env": ${mapJson(fields.env)}`,
    single(BEFORE_ID),
    `"id": ${json(node.id)}`,
    single(BEFORE_STRATEGY),
    `"strategy": {"fail_fast": ${strategy.failFast}, "max_parallel": ${strategy.maxParallel}}`,
    `"tags": ${listJson(fields.tags)}`,
    single(['title']),
    `"volumes": ${listJson(fields.volumes)}`,
    single(['workdir']),
  ];
  return hash('sha256', `{"needs": ${given.needs}, "state": ${given.state}, "task": {${task.join(', ')}}}`);
}

/** A context (`needs`, `state`) as the key is made over it: keys in order. */
export const contextJson = (context: Value): string => toJson(context, { sortKeys: true });

function openIn(values: Iterable<Known>): Residual | undefined {
  for (const value of values) if (value instanceof Residual) return value;
  return undefined;
}

const json = (value: Known): string => (typeof value === 'string' ? jsonText(value) : toJson(value as Value));
const listJson = (values: readonly Known[]): string => `[${values.map(json).join(', ')}]`;

function mapJson(values: ReadonlyMap<string, Known>): string {
  const entries = [...values].sort(([a], [b]) => compareText(a, b));
  return `{${entries.map(([key, value]) => `${jsonText(key)}: ${json(value)}`).join(', ')}}`;
}
