import { DelosError, type StorageWatch } from '@delos/core';
import { type Files, matches } from '@delos/engine';
import { PythonError, platformUri } from '@delos/flow';
import { z } from 'zod';
import { uriOf } from '../authorization/grants.ts';
import type { ApiDeps, Caller } from '../deps.ts';
import { liveProjects } from '../live-projects.ts';
import { authorize } from '../rights.ts';

/** Files that one schedule looks at, and the bytes of their paths. */
const MOST_FILES = 10_000;
const MOST_PATHS = 2 ** 20;
/** The program that has the files answers well before. */
const TIME_MS = 30_000;

const told = z.object({
  files: z.array(z.tuple([z.string(), z.number(), z.number()])),
  more: z.boolean(),
  now: z.number(),
});

export interface Folder {
  readonly org: string;
  readonly project: string;
  /** Below the project's folder. */
  readonly path: string;
}

/** The folder that is meant. @throws DelosError ERR_REQUEST */
export function folderOf(
  { path }: Pick<StorageWatch, 'path'>,
  place: { readonly cluster: string; readonly org: string; readonly project: string; readonly user: string },
): Folder {
  const refused = (message: string): DelosError =>
    new DelosError('ERR_REQUEST', message, { where: { field: 'storage.path' }, hint: 'storage:FOLDER is enough' });
  let whole: string;
  try {
    whole = platformUri(path, place, place.project, { short: false }).text;
  } catch (error) {
    if (!(error instanceof PythonError)) throw error;
    throw refused(error.message);
  }
  const [, cluster, names = ''] = /^storage:\/\/([^/]+)\/(.*)$/.exec(whole) ?? [];
  const [org, project, ...below] = names
    .split('/')
    .filter((name) => name !== '')
    .map(decodeURIComponent);
  if (cluster !== place.cluster)
    throw refused(`there is no storage in cluster ${cluster}; this one is ${place.cluster}`);
  if (org === undefined || project === undefined) throw refused('expected a folder of a project');
  return { org, project, path: below.join('/') };
}

/** @throws DelosError ERR_FORBIDDEN where the caller may not read there */
export async function authorizeFolder(
  { database, settings }: Pick<ApiDeps, 'database' | 'settings'>,
  caller: Caller,
  { org, project }: Folder,
): Promise<void> {
  const [there] = await liveProjects(database.db, [{ org, project }]);
  authorize(
    caller,
    there,
    'read',
    () =>
      new DelosError('ERR_FORBIDDEN', `${caller.user} is no member of project ${org}/${project}, or there is none`, {
        where: { field: 'storage.path' },
      }),
    [uriOf('storage', settings.cluster, { org, project })],
  );
}

/** Files of a folder that match, and what time it is where they are. Who may read there was judged before. @throws DelosError */
export async function filesOf(
  { settings, signal }: Pick<ApiDeps, 'settings' | 'signal'>,
  { org, project, path }: Folder,
  pattern: string,
): Promise<{ readonly files: Files; readonly clock: number }> {
  if (settings.filesUrl === undefined) {
    throw new DelosError('ERR_NOT_IMPLEMENTED', 'this platform has no file storage');
  }
  const query = new URLSearchParams({ org, project, path, most: String(MOST_FILES) });
  let response: Response;
  try {
    response = await fetch(`${settings.filesUrl}/tree?${query}`, {
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIME_MS)]),
    });
  } catch (cause) {
    throw new DelosError('ERR_TIMEOUT', 'the file storage does not answer', { cause });
  }
  if (!response.ok) throw new DelosError('ERR_TIMEOUT', `the file storage answers ${response.status}`);
  const { files, more, now } = told.parse(await response.json());
  const bytes = files.reduce((sum, [name]) => sum + Buffer.byteLength(name), 0);
  if (more || bytes > MOST_PATHS) {
    throw new DelosError(
      'ERR_QUOTA_EXCEEDED',
      `there are more than ${MOST_FILES} files in storage://${settings.cluster}/${org}/${project}/${path}, or their names are too long: name a smaller folder`,
    );
  }
  const found = files.filter(([name]) => matches(pattern, name)).sort(([a], [b]) => (a < b ? -1 : 1));
  return { files: new Map(found.map(([name, size, changed]) => [name, [size, changed] as const])), clock: now };
}
