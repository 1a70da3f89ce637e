import { DelosError, FILE_STORAGE_PATH, type FileMount, type Right } from '@delos/core';
import { z } from 'zod';
import { uriOf } from '../../authorization/grants.ts';
import type { ApiDeps, Caller } from '../../deps.ts';
import { liveProjects } from '../../live-projects.ts';
import { mayDo } from '../../rights.ts';

const MOST_MOUNTS = 32;
/** The program that has the files answers well before. */
const TIME_MS = 30_000;
const KERNEL = /^\/(proc|sys|dev)(\/|$)/;

const place = z
  .string()
  .max(1024)
  .regex(/^\/[^:]*$/, 'expected an absolute path in the container, without a colon')
  .refine((path) => !path.split('/').includes('..'), 'must not contain ..')
  .transform((path) => path.replace(/\/+/g, '/').replace(/\/$/, ''))
  .refine(
    (path) => path !== '',
    'storage cannot take the place of the image’s root folder: mount it below, at /data say',
  )
  .refine((path) => !KERNEL.test(path), 'the kernel’s own folders cannot be hidden by storage');

/** `volumes` of a request for a job. */
export const storageVolumes = z
  .array(z.object({ src_storage_uri: z.string().max(8192), dst_path: place, read_only: z.boolean().default(false) }))
  .max(MOST_MOUNTS, `a job mounts at most ${MOST_MOUNTS} folders of the storage`)
  .refine(
    (mounts) => new Set(mounts.map(({ dst_path: path }) => path)).size === mounts.length,
    'two volumes cannot have one place in the container',
  );
export type StorageVolumes = z.infer<typeof storageVolumes>;

export interface FileMountContext {
  readonly caller: Caller;
  /** The job's. */
  readonly cluster: string;
  /** Of the request. */
  readonly field: string;
  /** The caller's, to be shown to the program that has the files. */
  readonly authorization: string | undefined;
}

/**
 * What a new job mounts of the storage. A missing folder is made by the caller's own right. A caller who may only read in the project
 * cannot make one, so there the folder has to exist.
 * @throws DelosError ERR_REQUEST, ERR_FORBIDDEN naming the entry; ERR_NOT_IMPLEMENTED where there is no file storage
 */
export async function fileMountsFor(
  deps: Pick<ApiDeps, 'database' | 'settings'>,
  volumes: StorageVolumes,
  context: FileMountContext,
): Promise<readonly FileMount[]> {
  if (volumes.length === 0) return [];
  const { filesUrl, jobsMountFiles, cluster: own } = deps.settings;
  if (filesUrl === undefined || jobsMountFiles !== true || context.cluster !== own) {
    throw new DelosError('ERR_NOT_IMPLEMENTED', 'jobs of this cluster cannot mount storage (volumes)', {
      hint: 'nothing was started; run it without. The administrator gives it by `storage.directory` or `storage.nfs` of delos.yaml',
    });
  }
  const mounts = volumes.map(({ src_storage_uri: uri, dst_path: path, read_only: readOnly }, index) => {
    const field = `${context.field}.${index}.src_storage_uri`;
    return { ...parseUri(uri, field, own), path, readOnly, field };
  });
  const projects = await liveProjects(deps.database.db, mounts);
  for (const { org, project, readOnly, field } of mounts) {
    const there = projects.some((each) => each.org === org && each.project === project);
    const uris = [uriOf('storage', own, { org, project })];
    const may = (right: Right): boolean => there && mayDo(context.caller, { org, project }, right, uris);
    if (!may('read')) {
      throw new DelosError(
        'ERR_FORBIDDEN',
        `${context.caller.user} is no member of project ${org}/${project}, or there is none`,
        {
          where: { field },
        },
      );
    }
    if (!readOnly && !may('write')) {
      throw new DelosError('ERR_FORBIDDEN', `${context.caller.user} may only read in project ${org}/${project}`, {
        where: { field },
        hint: 'mount it read-only: storage:PATH:/mnt:ro',
      });
    }
  }
  for (const mount of mounts) await provide(filesUrl, mount, context.authorization);
  return mounts.map(({ field: _, ...mount }) => mount);
}

/** `storage://CLUSTER/ORG/PROJECT[/PATH]`, escaped as any URI. */
function parseUri(uri: string, field: string, cluster: string): Pick<FileMount, 'org' | 'project' | 'source'> {
  const refusal = (message: string): DelosError =>
    new DelosError('ERR_REQUEST', message, { where: { field }, hint: 'storage:PATH is enough' });
  const [, named, path = ''] = /^storage:\/\/([^/?#]+)((?:\/[^?#]*)?)$/.exec(uri) ?? [];
  if (named === undefined) throw refusal('expected storage://CLUSTER/ORG/PROJECT/PATH');
  if (named !== cluster)
    throw refusal(`there is no storage in cluster ${JSON.stringify(named)}; this one is ${cluster}`);
  const names: string[] = [];
  for (const part of path.split('/')) {
    const name = decoded(part);
    if (name === undefined || /[/\0]/.test(name)) throw refusal(`${JSON.stringify(part)} can be no name of a file`);
    if (name === '..') names.pop();
    else if (name !== '' && name !== '.') names.push(name);
  }
  const [org, project, ...below] = names;
  if (org === undefined || project === undefined) throw refusal('expected storage://CLUSTER/ORG/PROJECT/PATH');
  return { org, project, source: below.join('/') };
}

function decoded(part: string): string | undefined {
  try {
    return decodeURIComponent(part);
  } catch {
    return undefined;
  }
}

/** Sees to it that what is to be mounted is there. @throws DelosError ERR_REQUEST, ERR_TIMEOUT */
async function provide(
  url: string,
  {
    org,
    project,
    source,
    field,
    readOnly,
  }: Pick<FileMount, 'org' | 'project' | 'source' | 'readOnly'> & { readonly field: string },
  authorization: string | undefined,
): Promise<void> {
  const path = [org, project, ...source.split('/')].map(encodeURIComponent).join('/');
  const ask = async (method: string, op: string): Promise<Response> => {
    try {
      return await fetch(`${url}${FILE_STORAGE_PATH}/${path}?op=${op}`, {
        method,
        headers: authorization === undefined ? {} : { authorization },
        signal: AbortSignal.timeout(TIME_MS),
      });
    } catch (cause) {
      throw new DelosError('ERR_TIMEOUT', 'the file storage does not answer', {
        hint: 'nothing was started; try again in a moment',
        cause,
      });
    }
  };
  const found = await ask('GET', 'GETFILESTATUS');
  let failed = found;
  if (found.ok) {
    const { FileStatus: status } = answer.parse(await found.json());
    if (status.type !== 'SYMLINK') return;
    throw new DelosError('ERR_REQUEST', `${source} leads through a symbolic link out of the project`, {
      where: { field },
    });
  }
  if (found.status === 404) {
    failed = await ask('PUT', 'MKDIRS');
    if (failed.ok) return;
  }
  const text = said.safeParse(await failed.json().catch(() => undefined)).data?.error ?? `status ${failed.status}`;
  throw new DelosError('ERR_REQUEST', `storage cannot be mounted${readOnly ? '' : ' and made'}: ${text}`, {
    where: { field },
  });
}

const answer = z.object({ FileStatus: z.object({ type: z.string() }) });
const said = z.object({ error: z.string() });

/** Of a file that is read whole. */
const MOST_TEXT = 65_536;

/** What is in a small file of the storage. @returns undefined where it cannot be had, or is larger */
export async function textOfFile(
  url: string | undefined,
  { org, project, source }: Pick<FileMount, 'org' | 'project' | 'source'>,
  authorization: string | undefined,
): Promise<string | undefined> {
  const path = [org, project, ...source.split('/')].map(encodeURIComponent).join('/');
  const headers = authorization === undefined ? {} : { authorization };
  try {
    const answer = await fetch(`${url}${FILE_STORAGE_PATH}/${path}?op=OPEN`, {
      headers,
      signal: AbortSignal.timeout(TIME_MS),
    });
    const length = Number(answer.headers.get('content-length') ?? Number.NaN);
    if (answer.ok && length <= MOST_TEXT) return await answer.text();
    await answer.body?.cancel();
    return undefined;
  } catch {
    return undefined;
  }
}
