import { str } from '../python/text.ts';
import { ALWAYS, Path, truthy } from '../python/value.ts';
import { evaluateMerged, evaluateMergedList, evaluateOne } from './collections.ts';
import type { TaskNode } from './graph/task-node.ts';
import { type Defaults, id2tag } from './inherited.ts';
import type { Layered, MergedField } from './merge.ts';
import { each, evaluateExpr, type FieldScope, isKnown, type Known } from './outcome.ts';
import { Residual } from './residual.ts';

/** The fields of a task, as far as they are known. Times are in seconds. */
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
}

const SINGLE = [
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
] as const;

type Single = Record<string, Known>;
interface Parts {
  single: Single;
  env: ReadonlyMap<string, Known>;
  volumes: readonly Known[];
  /** Those that are known, in order, then the others. */
  tags: readonly Known[];
}

/**
 * The keys of what runs, to be evaluated for each row of a task. What is the same for all rows is evaluated for the
 * first one alone, and its values are shared.
 */
export class UnitPlan {
  readonly #options: UnitOptions;
  readonly #fixed: Layered['fields'];
  readonly #varying: Layered['fields'];
  #shared: Parts | undefined;

  constructor(unit: Layered, options: UnitOptions) {
    this.#options = options;
    const fields = Object.entries(unit.fields);
    this.#fixed = Object.fromEntries(fields.filter(([, field]) => !varies(field)));
    this.#varying = Object.fromEntries(fields.filter(([, field]) => varies(field)));
  }

  /** Every key for one row; all faults are reported. `own`: tags of this row. @throws Refused */
  fields(at: FieldScope, own: readonly string[] = []): UnitFields {
    const parts = each([() => this.#fixedParts(at), () => partsOf(this.#varying, at)], (run) => run());
    const [fixed, row] = parts as [Parts, Parts];
    const { defaults } = this.#options;
    const of = (name: string): Known => row.single[name] ?? fixed.single[name] ?? null;
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
      volumes: 'volumes' in this.#varying ? this.#volumes(row.volumes) : fixed.volumes,
      life_span: or('life_span', defaults.lifeSpan),
      env: 'env' in this.#varying ? new Map([...this.#options.defaults.env, ...row.env]) : fixed.env,
      tags: 'tags' in this.#varying ? this.#tags([...row.tags, ...own]) : ordered([...fixed.tags, ...own]),
      restart: of('restart'),
    };
  }

  #fixedParts(at: FieldScope): Parts {
    if (this.#shared !== undefined) return this.#shared;
    const parts = partsOf(this.#fixed, at);
    this.#shared = {
      single: parts.single,
      env: new Map([...this.#options.defaults.env, ...parts.env]),
      volumes: this.#volumes(parts.volumes),
      tags: this.#tags(parts.tags),
    };
    return this.#shared;
  }

  #volumes(own: readonly Known[]): readonly Known[] {
    return [...this.#options.defaults.volumes, ...own].filter((item) => item instanceof Residual || truthy(item));
  }

  #tags(own: readonly Known[]): readonly Known[] {
    return ordered([...this.#options.tags, ...own.map((tag) => (isKnown(tag) ? str(tag) : tag))]);
  }
}

/** Each tag once: known ones in order, then those that wait. */
function ordered(tags: readonly Known[]): readonly Known[] {
  const known = [...new Set(tags.filter(isKnown))].sort();
  return known.length === tags.length ? known : [...known, ...new Set(tags.filter((tag) => !isKnown(tag)))];
}

function partsOf(fields: Layered['fields'], at: FieldScope): Parts {
  const parts: Parts = { single: {}, env: new Map(), volumes: [], tags: [] };
  each(Object.keys(fields), (name) => {
    const field = fields[name];
    if (name === 'env') parts.env = evaluateMerged(field, at);
    else if (name === 'volumes') parts.volumes = evaluateMergedList(field, at);
    else if (name === 'tags') parts.tags = evaluateMergedList(field, at);
    else if ((SINGLE as readonly string[]).includes(name)) parts.single[name] = evaluateOne(field, at);
  });
  return parts;
}

function varies(field: MergedField): boolean {
  switch (field.kind) {
    case 'expr':
    case 'whole':
      return field.depends === 'row';
    case 'list':
      return field.items.some(({ depends }) => depends === 'row');
    case 'map':
      return field.entries.some(([, { depends }]) => depends === 'row');
    case 'merged':
      return field.fields.some(varies);
    default:
      return false;
  }
}

/** Every key of what runs once. @throws Refused */
export const unitFields = (unit: Layered, at: FieldScope, options: UnitOptions): UnitFields =>
  new UnitPlan(unit, options).fields(at);

export const taskTag = (id: string): string => `task:${id2tag(id)}`;

const SUCCESS = new Residual('${{ success() }}', ['needs']);

/** Whether a task runs, as far as it is known. @throws Refused */
export function enableOf(node: Pick<TaskNode, 'enable' | 'kind' | 'needs'>, at: FieldScope): Known {
  if (node.enable !== undefined) return evaluateExpr(node.enable, at);
  if (node.kind === 'post') return ALWAYS;
  return node.needs.completed.size > 0 ? SUCCESS : true;
}
