import { DelosError, isDelosError, type Right } from '@delos/core';
import type { Caller } from '../../deps.ts';
import { authorize, type ProjectOf } from '../../rights.ts';
import { type Access, CATALOG, projectOfRepository } from '../registry/index.ts';
import { isCatalog, repositoryScope } from './scopes.ts';

/** What a caller gets of what was asked for. */
export interface Granted {
  readonly access: readonly Access[];
  /** Why something of the first repository is refused. A client that gets less than it needs would say nothing of why. */
  readonly refusal?: DelosError;
}

const RIGHT: Readonly<Record<string, Right>> = { pull: 'read', push: 'write', delete: 'write' };

/** The projects that scopes are about. */
export const projectsIn = (scopes: readonly Access[]): readonly ProjectOf[] =>
  scopes.flatMap((scope) => (scope.type === 'repository' ? (projectOfRepository(scope.name) ?? []) : []));

/**
 * Grants each action that the caller has the right to. The first repository is what a request is about: what is missing of it is
 * refused. Others are what may be mounted from, and are left out.
 * @param projects those that there are
 * @param cluster by which images are shared. @default grants do not count
 */
export function grant(caller: Caller, asked: readonly Access[], projects: readonly ProjectOf[], cluster = ''): Granted {
  let refusal: DelosError | undefined;
  let first = true;
  const access = asked.flatMap((scope): readonly Access[] => {
    if (isCatalog(scope)) return [CATALOG];
    const repository = repositoryScope(scope);
    if (repository === undefined) return [];
    const actions = repository.actions.filter((action) => {
      const why = refused(caller, repository.name, RIGHT[action] ?? 'write', { projects, cluster });
      if (first) refusal ??= why;
      return why === undefined;
    });
    first = false;
    return actions.length === 0 ? [] : [{ ...repository, actions }];
  });
  return refusal === undefined ? { access } : { access, refusal };
}

function refused(
  caller: Caller,
  name: string,
  right: Right,
  { projects, cluster }: { readonly projects: readonly ProjectOf[]; readonly cluster: string },
): DelosError | undefined {
  const of = projectOfRepository(name);
  if (of === undefined) {
    return new DelosError('ERR_FORBIDDEN', `${JSON.stringify(name)} is the name of no image of a project`, {
      hint: 'images are named ORG/PROJECT/NAME, in lower case',
    });
  }
  const project = projects.find((each) => each.org === of.org && each.project === of.project);
  try {
    authorize(
      caller,
      project,
      right,
      () =>
        new DelosError(
          'ERR_FORBIDDEN',
          `${caller.user} is no member of project ${of.org}/${of.project}, or there is none`,
          { hint: 'apolo config show lists your projects; the administrator adds members' },
        ),
      [`image://${cluster}/${name}`],
    );
    return undefined;
  } catch (error) {
    if (isDelosError(error)) return error;
    throw error;
  }
}
