import { DelosError, type ProjectRole, type Right } from '@delos/core';
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
 * @throws DelosError `unknown`'s where the caller may not see it, ERR_FORBIDDEN where the caller may only read
 */
export function authorize<T extends ProjectOf>(
  caller: Caller,
  object: T | undefined,
  right: Right,
  unknown: () => DelosError,
): T {
  const role = object === undefined ? undefined : caller.roles.get(`${object.org}/${object.project}`);
  if (object === undefined || !isAllowed(caller, role, 'read')) throw unknown();
  if (isAllowed(caller, role, right)) return object;
  throw new DelosError('ERR_FORBIDDEN', `${caller.user} may only read in project ${object.org}/${object.project}`, {
    hint: 'ask the administrator for the role writer in this project',
  });
}
