import type { Scope } from '../model/model.ts';
import { addTo, at, vectorOf } from '../model/quantities.ts';
import type { JobClass, ScopeState } from './entities.ts';

const NONE = Infinity;

export type Scopes = ReadonlyMap<string, ScopeState>;

/** The tree by name. Parents may stand after their children. @throws RangeError on a cycle or an unknown parent. */
export function scopeTree(specs: readonly Scope[]): Scopes {
  const byName = new Map(specs.map((spec) => [spec.name, spec]));
  const tree = new Map<string, ScopeState>();
  const add = (spec: Scope, below: readonly string[]): ScopeState => {
    const known = tree.get(spec.name);
    if (known !== undefined) return known;
    if (below.includes(spec.name)) throw new RangeError(`scope ${spec.name} is its own ancestor`);
    let parent: ScopeState | undefined;
    if (spec.parent !== undefined) {
      const above = byName.get(spec.parent);
      if (above === undefined) throw new RangeError(`scope ${spec.name} has an unknown parent ${spec.parent}`);
      parent = add(above, [...below, spec.name]);
    }
    const state = scopeState(spec, parent, spec.person === undefined ? undefined : personOf(spec, tree, byName, add));
    tree.set(spec.name, state);
    parent?.children.push(state);
    return state;
  };
  for (const spec of specs) add(spec, []);
  return tree;
}

function personOf(
  { name, person = '' }: Scope,
  tree: ReadonlyMap<string, ScopeState>,
  byName: ReadonlyMap<string, Scope>,
  add: (spec: Scope, below: readonly string[]) => ScopeState,
): ScopeState {
  const spec = byName.get(person);
  if (spec?.kind !== 'person') throw new RangeError(`scope ${name} is of an unknown person ${person}`);
  return tree.get(person) ?? add(spec, [name]);
}

/** @throws RangeError for a person that lies in another scope, or is given to one that is no user's place */
export function scopeState(spec: Scope, parent: ScopeState | undefined, person?: ScopeState): ScopeState {
  if (spec.kind === 'person' && (parent !== undefined || person !== undefined)) {
    throw new RangeError(`person ${spec.name} lies in no other scope`);
  }
  if (parent?.spec.kind === 'person') throw new RangeError(`scope ${spec.name} cannot lie in a person`);
  const guarantee = vectorOf(spec.guarantee, NONE);
  const quota = vectorOf(spec.quota, NONE);
  const limit = vectorOf(spec.limit, NONE);
  const hasGuarantee = guarantee.some((amount) => amount !== NONE);
  const state: Omit<ScopeState, 'project' | 'path' | 'charged' | 'guaranteed'> = {
    spec,
    parent,
    children: [],
    quota,
    limit,
    capped: [...quota, ...limit].some((amount) => amount !== NONE),
    guarantee,
    hasGuarantee,
    depth: parent === undefined ? 0 : parent.depth + 1,
    used: new Float64Array(5),
    firm: new Float64Array(5),
    history: Float64Array.from({ length: 5 }, (_, d) => spec.history?.[d] ?? 0),
    historyAt: spec.historyAt ?? 0,
    awakeClasses: [],
    awake: 0,
    asleepByShape: new Map(),
    asleepCounts: new Map(),
    entitled: 0,
    judged: new Set(),
    stakes: new Map(),
    preemptible: [0, 0, 0],
    share: -1,
    shareAt: -1,
  };
  const project = spec.kind === 'user' && parent !== undefined ? parent.project : undefined;
  const made = state as ScopeState;
  const path = [made, ...(parent?.path ?? [])];
  return Object.assign(made, {
    project: project ?? made,
    path,
    charged: person === undefined ? path : [...path, person],
    guaranteed: [...(hasGuarantee ? [made] : []), ...(parent?.guaranteed ?? [])],
  });
}

/** Adds a job to (or takes it from) a queue, all above it and its person; `jobs` 0: only some of its replicas. */
export function charge(queue: ScopeState, amounts: Float64Array, of: JobClass, sign: 1 | -1, jobs: 0 | 1 = 1): void {
  const rank = of.rank as 0 | 1 | 2;
  for (const scope of queue.charged) {
    addTo(scope.used, amounts, sign);
    if (of.preemptible) scope.preemptible[rank] += sign * jobs;
    else addTo(scope.firm, amounts, sign);
    scope.share = -1;
  }
}

/** The first of `above` two scopes' paths share, and the steps below it; undefined where they share none. */
export function divergence(
  a: ScopeState,
  b: ScopeState,
): { readonly a: ScopeState; readonly b: ScopeState } | undefined {
  for (let depth = 0; depth <= Math.min(a.depth, b.depth); depth += 1) {
    const [one, other] = [a.path[a.depth - depth], b.path[b.depth - depth]];
    if (one !== undefined && other !== undefined && one !== other) return { a: one, b: other };
  }
  return undefined;
}

export function isWithin(scope: ScopeState, ancestor: ScopeState): boolean {
  return scope.path[scope.depth - ancestor.depth] === ancestor;
}

export function guaranteeOf(scope: ScopeState, dimension: number): number | undefined {
  const amount = at(scope.guarantee, dimension);
  return amount === NONE ? undefined : amount;
}

/** Whether a queue's jobs count under a scope: it lies in it, or is a place of that person. */
export function countsUnder(queue: ScopeState, scope: ScopeState): boolean {
  return scope.spec.kind === 'person' ? queue.charged.includes(scope) : isWithin(queue, scope);
}
