import { quantityOf } from '../quantity.ts';
import type { Quota, Share } from './organizations.ts';
import type { RuleFault } from './rule-fault.ts';
import type { PlatformConfig } from './shape.ts';

type Dimension = keyof Share['guarantee'];
const DIMENSIONS = ['runningJobs', 'cpu', 'memory', 'gpu'] as const satisfies readonly Dimension[];

/** An organization, a project or a member, with those below it. */
interface Scope {
  /** For a person: `project acme/one`. */
  readonly who: string;
  readonly path: RuleFault['path'];
  readonly share: Share;
  readonly quota: Quota;
  /** What those below it are: `projects`. */
  readonly children: string;
  readonly below: readonly Scope[];
}

/**
 * What must hold of guarantees: one that exceeds what its holder may have, or that is promised twice over, could never
 * be kept. That nobody is below himself and everybody has a parent follows from the file's own nesting.
 */
export function shareFaults(config: PlatformConfig): readonly RuleFault[] {
  const scopes = scopesOf(config);
  return [...scopes.flatMap(faultsOf), ...beyondCapacity(config, scopes)];
}

function scopesOf({ organizations }: PlatformConfig): readonly Scope[] {
  return organizations.map((org, o) => ({
    who: `organization ${org.name}`,
    path: ['organizations', o],
    share: org,
    quota: org.quota,
    children: 'projects',
    below: org.projects.map((project, p) => ({
      who: `project ${org.name}/${project.name}`,
      path: ['organizations', o, 'projects', p],
      share: project,
      quota: project.quota,
      children: 'members',
      below: project.members.map((member, m) => ({
        who: `${member.user} in project ${org.name}/${project.name}`,
        path: ['organizations', o, 'projects', p, 'members', m],
        share: member,
        quota: {},
        children: '',
        below: [],
      })),
    })),
  }));
}

function faultsOf(scope: Scope): readonly RuleFault[] {
  const own = DIMENSIONS.flatMap((dimension) => {
    const guaranteed = scope.share.guarantee[dimension];
    if (guaranteed === undefined) return [];
    for (const rule of ['quota', 'limit'] as const) {
      const most = (rule === 'quota' ? scope.quota : scope.share.limit)[dimension];
      if (most === undefined || guaranteed <= most) continue;
      const message = `${scope.who} is guaranteed ${show(dimension, guaranteed)}, and its ${rule} is ${show(dimension, most)}`;
      return [{ path: [...scope.path, 'guarantee', dimension], message }];
    }
    return [];
  });
  const promised = DIMENSIONS.flatMap((dimension) => {
    const { guarantee, limit } = scope.share;
    const rules = { guarantee, quota: scope.quota, limit };
    for (const rule of ['guarantee', 'quota', 'limit'] as const) {
      const most = rules[rule][dimension];
      if (most === undefined) continue;
      const what = rule === 'guarantee' ? `${scope.who} itself` : `the ${rule} of ${scope.who}`;
      return beyond(scope.below, dimension, most, `its ${scope.children}`, what);
    }
    return [];
  });
  return [...own, ...promised, ...scope.below.flatMap(faultsOf)];
}

/** Where every pool says what its nodes have, no more can be guaranteed than there will ever be. */
function beyondCapacity({ nodePools }: PlatformConfig, scopes: readonly Scope[]): readonly RuleFault[] {
  return (['cpu', 'memory'] as const).flatMap((dimension) => {
    const all = nodePools.reduce((sum, pool) => sum + (pool[dimension] ?? Number.POSITIVE_INFINITY) * pool.maxSize, 0);
    return beyond(scopes, dimension, all, 'organizations', 'all node pools together');
  });
}

/** @returns a fault at the first scope with which more is guaranteed than `most` */
function beyond(
  scopes: readonly Scope[],
  dimension: Dimension,
  most: number,
  who: string,
  what: string,
): readonly RuleFault[] {
  let sum = 0;
  for (const scope of scopes) {
    sum += guaranteedWithin(scope, dimension);
    // Fractions of cores do not add up to the last bit.
    if (sum <= most + 1e-9) continue;
    const own = scope.share.guarantee[dimension] !== undefined;
    const path = own ? [...scope.path, 'guarantee', dimension] : [...scope.path, 'guarantee'];
    const message = `${who} are guaranteed ${show(dimension, sum)} up to ${scope.who}; ${what}: ${show(dimension, most)}`;
    return [{ path, message }];
  }
  return [];
}

/** What is guaranteed to a scope, or to those below it where nothing is to itself. */
function guaranteedWithin(scope: Scope, dimension: Dimension): number {
  return (
    scope.share.guarantee[dimension] ?? scope.below.reduce((sum, below) => sum + guaranteedWithin(below, dimension), 0)
  );
}

function show(dimension: Dimension, amount: number): string {
  switch (dimension) {
    case 'runningJobs':
      return `${amount} running ${amount === 1 ? 'job' : 'jobs'}`;
    case 'cpu':
      return `${Number(amount.toFixed(3))} ${amount === 1 ? 'core' : 'cores'}`;
    case 'memory':
      return `${quantityOf(amount)} of memory`;
    case 'gpu':
      return `${amount} ${amount === 1 ? 'GPU' : 'GPUs'}`;
  }
}
