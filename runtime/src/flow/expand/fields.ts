import { createHash } from 'node:crypto';
import type { Block } from '../file/block.ts';
import { fieldOf, mapOf } from '../file/block.ts';
import { hasType } from '../file/words.ts';
import { toJson } from '../python/json.ts';
import { str } from '../python/text.ts';
import { ALWAYS, Dict, Later, Path, truthy, typeName, type Value } from '../python/value.ts';
import type { TaskNode } from './graph.ts';
import type { Layered } from './merge.ts';
import { each, evaluateExpr, type FieldScope, isKnown, type Known, Refused, Residual } from './outcome.ts';
import { type Defaults, evaluateMerged, evaluateMergedList, evaluateOne, id2tag, strategyContext } from './setup.ts';

/** What a task runs, as far as it is known. Times are in seconds. */
export interface UnitFields {
  readonly title: Known;
  readonly name: Known;
  readonly image: Known;
  readonly preset: Known;
  readonly schedule_timeout: Known;
  readonly http_port: Known;
  readonly http_auth: Known;
  readonly pass_config: Known;
  readonly entrypoint: Known;
  readonly cmd: Known;
  readonly workdir: Known;
  readonly volumes: readonly Known[];
  readonly life_span: Known;
  readonly env: ReadonlyMap<string, Known>;
  readonly tags: readonly Known[];
  readonly restart: Known;
}

export interface UnitOptions {
  readonly defaults: Defaults;
  /** Tags that the task has whatever it says. */
  readonly tags: readonly string[];
  /** The `env` context, which stands below the task's own. */
  readonly env: ReadonlyMap<string, Known>;
}

/** Evaluates every key of what runs; all faults are reported. @throws Refused */
export function unitFields(unit: Layered, at: FieldScope, { defaults, tags, env }: UnitOptions): UnitFields {
  const found: Record<string, Known> = {};
  let own: readonly (readonly [string, Known])[] = [];
  let volumes: readonly Known[] = [];
  let ownTags: readonly Known[] = [];
  const single = [
    'title',
    'name',
    'image',
    'preset',
    'schedule_timeout',
    'entrypoint',
    'cmd',
    'workdir',
    'life_span',
    'http_port',
    'http_auth',
    'pass_config',
    'restart',
  ];
  const runs: (() => void)[] = [
    () => {
      own = evaluateMerged(unit.fields.env, at);
    },
    () => {
      volumes = evaluateMergedList(unit.fields.volumes, at);
    },
    () => {
      ownTags = evaluateMergedList(unit.fields.tags, at);
    },
    ...single.map((name) => () => {
      found[name] = evaluateOne(unit.fields[name], at);
    }),
  ];
  each(runs, (run) => {
    run();
    return true;
  });
  const of = (name: string): Known => found[name] ?? null;
  const or = (name: string, fallback: Known): Known => {
    const value = of(name);
    if (value instanceof Residual) return value;
    return truthy(value) || value instanceof Path ? value : fallback;
  };
  return {
    title: of('title'),
    name: of('name'),
    image: of('image'),
    preset: or('preset', defaults.preset),
    schedule_timeout: or('schedule_timeout', defaults.scheduleTimeout),
    http_port: of('http_port'),
    http_auth: of('http_auth'),
    pass_config: of('pass_config'),
    entrypoint: of('entrypoint'),
    cmd: of('cmd'),
    workdir: or('workdir', defaults.workdir),
    volumes: [...defaults.volumes, ...volumes].filter((item) => item instanceof Residual || truthy(item)),
    life_span: or('life_span', defaults.lifeSpan),
    env: new Map([...env, ...own]),
    tags: [
      ...new Set([
        ...[...tags, ...ownTags.filter(isKnown).map((tag) => str(tag))].sort(),
        ...ownTags.filter((tag) => !isKnown(tag)),
      ]),
    ],
    restart: of('restart'),
  };
}

export const taskTag = (path: readonly string[]): string => `task:${id2tag(path.join('.'))}`;

/** Whether a task runs, as far as it is known. @throws Refused */
export function enableOf(node: Pick<TaskNode, 'enable' | 'kind' | 'needs'>, at: FieldScope): Known {
  if (node.enable !== undefined) return evaluateExpr(node.enable, at);
  if (node.kind === 'post') return ALWAYS;
  const completed = [...node.needs.values()].some((level) => level === 'completed');
  return completed ? new Residual('${{ success() }}', ['needs']) : true;
}

export interface CacheKey {
  readonly key: string | null;
  /** Why there is none. */
  readonly reason: string | null;
}

/** The key under which the result of a task is kept: it needs every field and the results of all that it needs. */
export function cacheKey(node: TaskNode, fields: UnitFields, enable: Known): CacheKey {
  if ([...node.needs.values()].some((level) => level === 'completed'))
    return { key: null, reason: 'needs the results of other tasks' };
  if (node.stateFrom !== undefined) return { key: null, reason: 'needs the states of another task' };
  const all: Record<string, Known> = { ...fields, env: null, volumes: null, tags: null, enable };
  const lists = [...fields.volumes, ...fields.tags, ...fields.env.values()];
  const open = [...Object.values(all), ...lists].find((value) => value instanceof Residual);
  if (open instanceof Residual) return { key: null, reason: `waits for ${open.waits.join(', ')}` };
  const task = new Dict([
    ...Object.entries(all as Record<string, Value>),
    ['id', node.id],
    ['env', new Dict([...fields.env] as (readonly [string, Value])[])],
    ['volumes', fields.volumes as readonly Value[]],
    ['tags', fields.tags as readonly Value[]],
    ['strategy', strategyContext(node.strategy)],
    ['cache', Dict.of({ strategy: node.cache.strategy, life_span: node.cache.lifeSpan })],
    ['caching_key', ''],
  ]);
  const text = `{"needs": {}, "state": {}, "task": ${toJson(task, { sortKeys: true })}}`;
  return { key: createHash('sha256').update(text).digest('hex'), reason: null };
}

/** Arguments against the inputs that are declared: missing ones, further ones. @throws Refused */
export function checkInputs(call: Block, inputs: ReadonlyMap<string, Block>): void {
  const args = mapOf(call, 'args');
  const given = args?.kind === 'map' ? args.entries.map(([name]) => str(name)) : [];
  const required = [...inputs]
    .filter(([, input]) => (fieldOf(input, 'default', 'expr')?.given ?? null) === null)
    .map(([name]) => name);
  const missing = required.filter((name) => !given.includes(name));
  const extra = given.filter((name) => !inputs.has(name));
  const at = args ?? fieldOf(call, 'action', 'expr') ?? fieldOf(call, 'module', 'expr') ?? call;
  if (missing.length > 0)
    call.report.add(
      'FLOW_INPUT',
      at,
      `the action needs ${missing.map((name) => `\`${name}\``).join(', ')}`,
      'give them under `args`',
    );
  for (const name of extra) {
    const expr = args?.kind === 'map' ? args.entries.find(([key]) => str(key) === name)?.[1] : undefined;
    call.report.add(
      'FLOW_INPUT',
      expr ?? at,
      `the action has no input \`${name}\``,
      `there are: ${[...inputs.keys()].join(', ') || 'none'}`,
    );
  }
  if (missing.length > 0 || extra.length > 0) throw new Refused();
}

/** The `inputs` context; what an argument waits for, its input waits for. @throws Refused */
export function inputsContext(call: Block, inputs: ReadonlyMap<string, Block>, at: FieldScope): Dict {
  const entries = [...knownInputs(call, inputs, at)];
  return new Dict(entries.map(([name, value]) => [name, isKnown(value) ? value : new Later('inputs')]));
}

/** Values of inputs. Without the key `args`, no default applies: the authority has it so. @throws Refused */
export function knownInputs(
  call: Block,
  inputs: ReadonlyMap<string, Block>,
  at: FieldScope,
): ReadonlyMap<string, Known> {
  checkInputs(call, inputs);
  const args = mapOf(call, 'args');
  if (args?.kind !== 'map') return new Map();
  const result = new Map(
    each(args.entries, ([key, expr]): readonly [string, Known] => {
      const name = str(key);
      const value = evaluateExpr(expr, at);
      const type = fieldOf(inputs.get(name), 'type', 'choice')?.value ?? 'str';
      if (isKnown(value) && !hasType(value, type)) {
        const hint = { int: 'write ${{ 5 }}', float: 'write ${{ 0.5 }}', bool: 'write ${{ True }}' }[type];
        call.report.add('FLOW_INPUT', expr, `the input \`${name}\` is ${type}, this is ${typeName(value)}`, hint);
        throw new Refused();
      }
      return [name, value];
    }),
  );
  for (const [name, input] of inputs) {
    const value = fieldOf(input, 'default', 'expr');
    if (!result.has(name) && value !== undefined && value.given !== null) result.set(name, value.constant);
  }
  return result;
}
