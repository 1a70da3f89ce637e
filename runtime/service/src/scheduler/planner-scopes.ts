import { PLAIN_SHARE } from '@delos/core';
import type { Scheduler, Scope } from '@delos/scheduling';
import type { Facts, PlannedJob, ScopeFacts } from './planned.ts';
import { amountsOfQuota } from './translate.ts';

type Said = Pick<ScopeFacts, 'quota' | 'share'>;

/** Of whom the configuration says nothing. */
const PLAIN: Said = { quota: {}, share: PLAIN_SHARE };

/** Organizations, projects, and those people and users whom something is guaranteed or denied: that holds before their first job comes. */
export function scopesOf({ organizations, projects, members, people }: Facts): Scope[] {
  const limited = new Set(people.map(({ org, user }) => personOf({ org, owner: user })));
  return [
    ...people.map(({ org, user, quota }) =>
      scopeOf(personOf({ org, owner: user }), undefined, 'person', { quota, share: PLAIN_SHARE }),
    ),
    ...organizations.map((org) => scopeOf(org.name, undefined, 'organization', org)),
    ...projects.map((project) => scopeOf(`${project.org}/${project.name}`, project.org, 'project', project)),
    ...members.map(({ org, project, user, share }) => {
      const person = personOf({ org, owner: user });
      const place = scopeOf(`${org}/${project}/${user}`, `${org}/${project}`, 'user', { quota: {}, share });
      return limited.has(person) ? { ...place, person } : place;
    }),
  ];
}

/** Under which name the jobs of one person in an organization are counted, where a quota says so; for people to read. */
export function personOf({ org, owner }: Pick<PlannedJob, 'org' | 'owner'>): string {
  return `${owner} of organization ${org}`;
}

/** Where a job is submitted: its user's own place in the project. */
export function queueOf({ org, project, owner }: Pick<PlannedJob, 'org' | 'project' | 'owner'>): string {
  return `${org}/${project}/${owner}`;
}

export function scopeOf(
  name: string,
  parent: string | undefined,
  kind: Scope['kind'],
  { quota, share }: Said = PLAIN,
): Scope {
  return {
    name,
    parent,
    kind,
    weight: share.weight,
    quota: amountsOfQuota(quota),
    guarantee: amountsOfQuota(share.guarantee),
    limit: amountsOfQuota(share.limit),
  };
}

/** Its own user's place in the project's queue, made where it is new: within a project, users share alike. */
export function ensureQueue(core: Scheduler, job: PlannedJob, at: number): string {
  const { org, project } = job;
  const { scopes } = core.state;
  const queue = queueOf(job);
  if (scopes.has(queue)) return queue;
  if (!scopes.has(org)) core.addScope(scopeOf(org, undefined, 'organization'), at);
  if (!scopes.has(`${org}/${project}`)) core.addScope(scopeOf(`${org}/${project}`, org, 'project'), at);
  const person = personOf(job);
  const place = scopeOf(queue, `${org}/${project}`, 'user');
  core.addScope(scopes.has(person) ? { ...place, person } : place, at);
  return queue;
}
