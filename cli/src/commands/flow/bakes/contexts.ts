import { type Dirent, readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { type BakeSubmissionInput, DelosError } from '@delos/core';
import { contextFolder, type ImageDefinition, Path } from '@delos/flow';
import { z } from 'zod';
import type { ApiClient } from '../../platform/api-client.ts';

/** Files of one folder that an image is built from, and their bytes together. */
const MOST_FILES = 10_000;
const MOST_BYTES = 2 ** 30;

/** Which project names of images are relative to. */
export interface ImagePlace {
  readonly cluster: string;
  readonly org?: string;
  readonly project: string;
}

/** A bake that is about to be sent. */
export interface CollectedBake {
  readonly asked: BakeSubmissionInput;
  /** Its images, by the names that they have in a project. */
  imagesIn(place: ImagePlace): readonly ImageDefinition[];
}

/** What is known of a file of the storage. */
const status = z.object({
  FileStatus: z.object({ type: z.string(), length: z.number(), modificationTime: z.number() }),
});

/**
 * Copies the local folders that images are built from into the project's storage, where apolo-flow copies them as well.
 * What is there already, and no older, is not sent again.
 * @returns the submission with the project that they went to
 * @throws DelosError ERR_USAGE where a folder is too large or no project is meant; ERR_NOT_FOUND
 */
export async function sendContexts(
  client: ApiClient,
  { asked, imagesIn }: CollectedBake,
): Promise<BakeSubmissionInput> {
  const localIn = (place: ImagePlace): ReadonlyMap<string, ImageDefinition> =>
    new Map(imagesIn(place).flatMap((image) => (image.context instanceof Path ? [[image.ref, image] as const] : [])));
  if (localIn({ cluster: 'default', project: 'default' }).size === 0) return asked;
  const { projects } = await client.config();
  const project = projects.find(
    ({ name, org_name: org }) => (asked.project_name ?? name) === name && (asked.org_name ?? org) === org,
  );
  if (project === undefined) {
    throw new DelosError('ERR_USAGE', 'the folders of images cannot be sent: there is no such project of yours', {
      hint: 'name it: --org ORG --project PROJECT',
    });
  }
  const place = { cluster: project.cluster_name, org: project.org_name, project: project.name };
  for (const image of localIn(place).values()) {
    const to = contextFolder(image, { project: project.name, flow: asked.flow });
    if (!(image.context instanceof Path) || to === null) continue;
    await send(client, image.context.text, `/storage/${project.org_name}${to.slice('storage:'.length)}`);
  }
  return { ...asked, org_name: project.org_name, project_name: project.name };
}

async function send(client: ApiClient, folder: string, to: string): Promise<void> {
  const url = (file: string, op: string): string =>
    `${[...to.split('/'), ...file.split('/')]
      .filter((part) => part !== '')
      .map((part) => `/${encodeURIComponent(part)}`)
      .join('')}?op=${op}`;
  const made = new Set<string>();
  for (const file of filesOf(folder)) {
    const above = file.split('/').slice(0, -1).join('/');
    if (!made.has(above)) await client.ask('PUT', url(above, 'MKDIRS'));
    made.add(above);
    const { size, mtimeMs } = statSync(join(folder, file));
    const there = await tryStatus(client, url(file, 'GETFILESTATUS'));
    const same =
      there?.type === 'FILE' && there.length === size && there.modificationTime >= Math.floor(mtimeMs / 1000);
    if (!same) await client.ask('PUT', url(file, 'CREATE'), readFileSync(join(folder, file)));
  }
}

async function tryStatus(client: ApiClient, path: string): Promise<z.infer<typeof status>['FileStatus'] | undefined> {
  try {
    return status.parse(await (await client.ask('GET', path)).json()).FileStatus;
  } catch (error) {
    if (error instanceof DelosError && error.code === 'ERR_NOT_FOUND') return undefined;
    throw error;
  }
}

/** Files below a folder, by their paths from it. @throws DelosError ERR_USAGE, ERR_NOT_FOUND */
function filesOf(folder: string): readonly string[] {
  let bytes = 0;
  const found: string[] = [];
  const walk = (at: string): void => {
    for (const entry of entriesOf(at)) {
      const path = join(at, entry.name);
      if (entry.isDirectory()) walk(path);
      else if (statSync(path, { throwIfNoEntry: false })?.isFile() === true) {
        found.push(relative(folder, path));
        bytes += statSync(path).size;
      }
      if (found.length > MOST_FILES || bytes > MOST_BYTES) {
        throw new DelosError(
          'ERR_USAGE',
          `${folder}, which an image is built from, has more than ${MOST_FILES} files or ${MOST_BYTES / 2 ** 30} GiB`,
          { hint: 'name a smaller folder, or one of the storage: context: storage:FOLDER' },
        );
      }
    }
  };
  walk(folder);
  return found;
}

function entriesOf(folder: string): readonly Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch (cause) {
    throw new DelosError('ERR_NOT_FOUND', `${folder}, which an image is built from, cannot be read`, { cause });
  }
}
