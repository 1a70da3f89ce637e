import { PLAIN_SHARE } from '@delos/core';
import type { Scope } from '@delos/scheduling';
import type { Facts, PlannedJob, ScopeFacts } from './planned.ts';
import { amountsOfQuota } from './translate.ts';

type Said = Pick<ScopeFacts, 'quota' | 'share'>;

/** Of whom the configuration says nothing. */
const PLAIN: Said = { quota: {}, share: PLAIN_SHARE };

/** Organizations, projects, and those users whom something is guaranteed or denied: that holds before their first job comes. */
export function scopesOf({ organizations, projects, members }: Facts): Scope[] {
  return [
    ...organizations.map((org) => scopeOf(org.name, undefined, 'organization', org)),
    ...projects.map((project) => scopeOf(`${project.org}/${project.name}`, project.org, 'project', project)),
    ...members.map(({ org, project, user, share }) =>
      scopeOf(`${org}/${project}/${user}`, `${org}/${project}`, 'user', { quota: {}, share }),
    ),
  ];
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
