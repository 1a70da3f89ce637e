import { z } from 'zod';
import type { ProjectOf } from '../../rights.ts';

const COMPONENT = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';
const REPOSITORY = new RegExp(`^${COMPONENT}(?:/${COMPONENT})*$`);
/** As the registry has it. @see https://github.com/distribution/reference */
export const MAX_NAME = 255;

/** A repository's name, or the beginning of one. */
export const repositoryName = z
  .string()
  .max(MAX_NAME)
  .regex(REPOSITORY, 'expected the name of a repository: ORG/PROJECT/NAME, in lower case');

/** @returns the project that a repository is of; undefined for a name that is none of a repository of a project */
export function projectOfRepository(name: string): ProjectOf | undefined {
  if (!repositoryName.safeParse(name).success) return undefined;
  const [org, project, ...rest] = name.split('/');
  return org === undefined || project === undefined || rest.length === 0 ? undefined : { org, project };
}
