import { DelosError, isDelosError, RIGHTS } from '@delos/core';
import { z } from 'zod';
import { heldClusters } from '../../../db/clusters/present.ts';
import type { ApiDeps, Caller } from '../../deps.ts';
import { liveProjects } from '../../live-projects.ts';
import { authorize, type ProjectOf } from '../../rights.ts';

/** Rights of the caller that another service asks for: `[{"uri": "pypi://CLUSTER/ORG/PROJECT", "action": "write"}]`. */
export const askedRights = z.array(z.strictObject({ uri: z.string().max(1000), action: z.enum(RIGHTS) })).max(100);
type AskedRight = z.infer<typeof askedRights>[number];

/**
 * Those that the caller does not have, in the order asked. A URI is of the project that it begins with, whatever its scheme
 * and whatever follows; what the platform has no project for is nobody's.
 */
export async function missingRights(
  deps: Pick<ApiDeps, 'database' | 'settings'>,
  caller: Caller,
  asked: readonly AskedRight[],
): Promise<readonly AskedRight[]> {
  const clusters = await heldClusters(deps.database.db, deps.settings.cluster);
  const names = asked.map(({ uri }) => projectIn(uri, clusters));
  const wanted = names.filter((name) => name !== undefined);
  const found = await liveProjects(deps.database.db, wanted);
  return asked.filter((right, index) => {
    const name = names[index];
    const project = found.find((row) => row.org === name?.org && row.project === name.project);
    return !isGiven(caller, project, right);
  });
}

function isGiven(caller: Caller, project: ProjectOf | undefined, { action }: AskedRight): boolean {
  try {
    authorize(caller, project, action, () => new DelosError('ERR_NOT_FOUND', 'there is no such project'));
    return true;
  } catch (error) {
    if (!isDelosError(error)) throw error;
    return false;
  }
}

function projectIn(uri: string, clusters: readonly string[]): ProjectOf | undefined {
  const [, of, org, project] = /^[a-z][a-z0-9+.-]*:\/\/([^/]+)\/([^/]+)\/([^/]+)(?:\/.*)?$/.exec(uri) ?? [];
  return of === undefined || !clusters.includes(of) || org === undefined || project === undefined
    ? undefined
    : { org, project };
}
