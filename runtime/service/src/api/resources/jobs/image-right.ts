import { DelosError } from '@delos/core';
import type { ApiDeps, Caller } from '../../deps.ts';
import { liveProjects } from '../../live-projects.ts';
import { authorize } from '../../rights.ts';
import { projectOfRepository } from '../registry/index.ts';
import { ownRepository } from '../registry/platform-image.ts';
import type { JobContainer } from './request.ts';

/**
 * An image of the platform's own registry is for those who may read it. A node that has it already would ask nobody.
 * @throws DelosError ERR_FORBIDDEN, ERR_REQUEST
 */
export async function checkImageRight(
  deps: Pick<ApiDeps, 'database' | 'settings'>,
  caller: Caller,
  request: { readonly meta: object; readonly container: Pick<JobContainer, 'image'> },
): Promise<void> {
  const repository = ownRepository(deps.settings, request.container.image);
  if (repository === undefined) return;
  const where = { field: 'container' in request.meta ? 'container.image' : 'image' };
  const of = projectOfRepository(repository);
  if (of === undefined) {
    throw new DelosError('ERR_REQUEST', `${JSON.stringify(repository)} is the name of no image of a project`, {
      where,
      hint: 'images of this platform are named ORG/PROJECT/NAME; apolo image ls lists them',
    });
  }
  const [project] = await liveProjects(deps.database.db, [of]);
  authorize(
    caller,
    project,
    'read',
    () =>
      new DelosError('ERR_FORBIDDEN', `${caller.user} may not read the images of project ${of.org}/${of.project}`, {
        where,
        hint: 'apolo image ls lists the images that you may use',
      }),
    [`image://${deps.settings.cluster}/${repository}`],
  );
}
