import { type NodeReport, PLAIN_SHARE, type Quota, type Share } from '@delos/core';
import type { ActivePlace, Facts, PlannedJob } from '../../../runtime/service/src/scheduler/planned.ts';

export const GIB = 2 ** 30;
export const NOW = new Date('2026-01-01T12:00:00Z');
export const NVIDIA = 'nvidia.com/gpu';
export const AMD = 'amd.com/gpu';

export const later = (seconds: number): Date => new Date(NOW.getTime() + seconds * 1000);

export const needs = (cpu: number, memory: number, extended: Record<string, number> = {}) => ({
  cpu,
  memory,
  extended,
  shm: true,
});

export const node = (name: string, facts: Partial<NodeReport> = {}): NodeReport => ({
  name,
  pool: 'default',
  ready: true,
  schedulable: true,
  cpu: 4,
  memory: 8 * GIB,
  extended: {},
  pods: 50,
  ...facts,
});

/**
 * Projects acme/one and acme/two and their users, with what is said of each by name: `acme/one`, `acme/one/alice`; the quota of a
 * person in acme: `@alice`.
 */
export function facts(
  quotas: Readonly<Record<string, Quota>> = {},
  presets: readonly (Omit<Facts['presets'][number], 'preemptible'> & { readonly preemptible?: boolean })[] = [],
  shares: Readonly<Record<string, Partial<Share>>> = {},
): Facts {
  const quota = (name: string): Quota => quotas[name] ?? {};
  const share = (name: string): Share => ({ ...PLAIN_SHARE, ...shares[name] });
  return {
    minRunSeconds: 0,
    presets: presets.map((preset) => ({ preemptible: false, ...preset })),
    organizations: [{ name: 'acme', quota: quota('acme'), share: share('acme') }],
    projects: ['one', 'two'].map((name) => ({
      org: 'acme',
      name,
      quota: quota(`acme/${name}`),
      share: share(`acme/${name}`),
    })),
    members: Object.keys(shares).flatMap((name) => {
      const [org = '', project = '', user] = name.split('/');
      return user === undefined ? [] : [{ org, project, user, share: share(name) }];
    }),
    people: Object.keys(quotas)
      .filter((name) => name.startsWith('@'))
      .map((name) => ({ org: 'acme', user: name.slice(1), quota: quota(name) })),
  };
}

export interface JobFacts extends Partial<Omit<PlannedJob, 'resources' | 'active'>> {
  readonly cpu?: number;
  readonly gib?: number;
  readonly gpu?: number;
  readonly resources?: PlannedJob['resources'];
  /** Seconds since it was submitted. */
  readonly age?: number;
}

let counter = 0;
export function job({ cpu = 1, gib = 1, gpu = 0, age = 0, ...rest }: JobFacts = {}): PlannedJob {
  return {
    id: `job-${String(++counter).padStart(4, '0')}`,
    org: 'acme',
    project: 'one',
    owner: 'alice',
    preset: 'any',
    resources: needs(cpu, gib * GIB, gpu === 0 ? {} : { [NVIDIA]: gpu }),
    pools: [],
    priority: 0,
    preemptible: false,
    run: 0,
    createdAt: later(-age),
    lifeSpanMinutes: null,
    disks: [],
    ...rest,
    active: undefined,
  };
}

export function running(of: PlannedJob, on: string | null, place: Partial<ActivePlace> = {}): PlannedJob {
  return { ...of, active: { pool: 'default', node: on, planned: null, since: NOW, leaving: false, ...place } };
}
