import { DelosError } from '@delos/core';
import type { Caller } from '../deps.ts';

/*
 * What `authorize` is for objects of projects, this is for organizations and projects themselves. Who may not see one is answered as
 * if it were not there.
 */

export interface Place {
  readonly org: string;
  /** @default the organization itself */
  readonly project?: string | undefined;
}

/** Whether the caller has anything to do with it. */
export function isIn({ admin, roles, orgs }: Caller, { org, project }: Place): boolean {
  const inOrg = orgs?.get(org);
  if (admin || inOrg === 'admin' || inOrg === 'manager') return true;
  if (project !== undefined) return roles.has(`${org}/${project}`);
  return orgs?.has(org) === true || [...roles.keys()].some((key) => key.startsWith(`${org}/`));
}

/**
 * The project that a caller is told of who has no role there: where a service account begins, and where somebody was given something of
 * the whole project. The client stands in it, and asks about its organization.
 */
export const standsIn = ({ shown = [], grants = [] }: Caller, { org, project }: Place): boolean =>
  [...shown, ...grants.flatMap(({ uri }) => projectOf(uri) ?? [])].some((each) =>
    project === undefined ? each.startsWith(`${org}/`) : each === `${org}/${project}`,
  );

const projectOf = (uri: string): string | undefined => /^[a-z]+:\/\/[^/]+\/([^/]+\/[^/]+)$/.exec(uri)?.[1];

/**
 * What it takes: `manage` a project (its managers and admins, managers and admins of its organization), manage the `people` and
 * projects of an organization (its managers and admins), administer the `organization` (its admins), or the `platform`.
 */
export type Administers = 'manage' | 'people' | 'organization' | 'platform';

/** @throws DelosError ERR_NOT_FOUND where the caller may not see it, ERR_FORBIDDEN */
export function administer(caller: Caller, place: Place | undefined, needs: Administers): void {
  if (caller.admin) return;
  if (place !== undefined && !isIn(caller, place)) {
    const { org, project } = place;
    const what = project === undefined ? `organization ${org}` : `project ${org}/${project}`;
    throw new DelosError('ERR_NOT_FOUND', `there is no ${what}, or it is not yours to see`);
  }
  if (place !== undefined && has(caller, place, needs)) return;
  throw new DelosError('ERR_FORBIDDEN', `${caller.user} is no ${WHO[needs]}${whose(place)}`, {
    hint: 'ask the administrator for that role',
  });
}

const WHO: Readonly<Record<Administers, string>> = {
  manage: 'manager of project ',
  people: 'manager of organization ',
  organization: 'admin of organization ',
  platform: 'administrator of the platform',
};

function whose(place: Place | undefined): string {
  if (place === undefined) return '';
  return place.project === undefined ? place.org : `${place.org}/${place.project}`;
}

function has({ roles, orgs }: Caller, { org, project }: Place, needs: Administers): boolean {
  const inOrg = orgs?.get(org);
  if (needs === 'platform') return false;
  if (inOrg === 'admin') return true;
  if (needs === 'organization') return false;
  if (inOrg === 'manager') return true;
  const role = roles.get(`${org}/${project}`);
  return needs === 'manage' && (role === 'manager' || role === 'admin');
}
