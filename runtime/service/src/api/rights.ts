import { DelosError, type ProjectRole, type Right } from '@delos/core';
import { isGranted } from './authorization/grants.ts';
import type { Caller } from './deps.ts';

/** A project: each object that callers find belongs to one. */
export interface ProjectOf {
  readonly org: string;
  readonly project: string;
}

/** The one rule: who has a role in a project reads its objects, and whoever is more than a reader changes them. */
export function isAllowed(who: { readonly admin: boolean }, role: ProjectRole | undefined, right: Right): boolean {
  return who.admin || (role !== undefined && (right === 'read' || role !== 'reader'));
}

/**
 * Lets a caller have an object, or refuses it. An object of another project is refused as one that does not exist.
 * @param uris the object's, by which it may be shared. @default it cannot be shared by itself
 * @throws DelosError `unknown`'s where the caller may not see it, ERR_FORBIDDEN where the caller may only read
 */
export function authorize<T extends ProjectOf>(
  caller: Caller,
  object: T | undefined,
  right: Right,
  unknown: () => DelosError,
  uris: readonly string[] = [],
): T {
  if (object === undefined || !mayDo(caller, object, 'read', uris)) throw unknown();
  if (mayDo(caller, object, right, uris)) return object;
  throw new DelosError('ERR_FORBIDDEN', `${caller.user} may only read in project ${object.org}/${object.project}`, {
    hint: 'ask the administrator for the role writer in this project',
  });
}

/** The question that {@link authorize} asks: by a role in the project, or by a grant. */
export function mayDo(
  caller: Caller,
  { org, project }: ProjectOf,
  right: Right,
  uris: readonly string[] = [],
): boolean {
  return isAllowed(caller, caller.roles.get(`${org}/${project}`), right) || isGranted(caller, uris, right);
}
