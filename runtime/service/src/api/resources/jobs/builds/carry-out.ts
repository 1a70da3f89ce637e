import { DelosError, type FileMount, type JobSecret } from '@delos/core';
import type { ApiDeps, Caller } from '../../../deps.ts';
import { liveProjects } from '../../../live-projects.ts';
import { authorize } from '../../../rights.ts';
import { projectOfRepository } from '../../registry/index.ts';
import { ownRegistry, ownRepository } from '../../registry/platform-image.ts';
import type { JobRequest } from '../request.ts';
import { CLIENT_KEYS, recognizeBuild } from './recognize.ts';

/** Where the builder looks for the platform’s credential (artifacts/go/image-builder, keys.go). */
const KEYS_FILE = '/kaniko/.delos/config.json';

/** The kubelet brings what a ConfigMap says within a period of its sync, and one of its cache. */
const BUILDER_COMES_SECONDS = 120;

/** What a job runs in place of Kaniko. What is shown of it stays as its user sent it. */
export interface CarriedBuild {
  readonly image: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** The credential by which it pulls and pushes. */
  readonly secret: JobSecret;
}

type Deps = Pick<ApiDeps, 'database' | 'settings'>;

/**
 * Whether a job is a build of an image that the platform carries out, and how. Its caller must be allowed to push where it will.
 * @param cluster of the request, where the job names none
 * @returns undefined for any other job, and where there is no registry, a platform without a builder or another cluster
 * @throws DelosError ERR_FORBIDDEN, ERR_REQUEST naming the image; ERR_BUSY where the builder is still to come
 */
export async function carriedBuild(
  { database, settings }: Deps,
  caller: Caller,
  { meta, container }: JobRequest,
  cluster: string,
): Promise<CarriedBuild | undefined> {
  const registry = ownRegistry(settings);
  if (registry === undefined || settings.secretsKey === undefined) return undefined;
  if ((meta.cluster_name ?? cluster) !== settings.cluster) return undefined;
  const build = recognizeBuild(container, { registry, org: meta.org_name ?? '', project: meta.project_name ?? '' });
  if (build === undefined || settings.builder === undefined) return undefined;
  const builder = settings.builder();
  if (builder === undefined) {
    throw new DelosError('ERR_BUSY', 'the builder of images is not there yet: it comes last when the platform starts', {
      hint: 'build again in two minutes; if it stays: delos status',
      data: { retryAfter: BUILDER_COMES_SECONDS },
    });
  }
  const where = { field: 'container' in meta ? 'container.command' : 'command' };
  const repositories = build.pushes.flatMap((name) => ownRepository(settings, name) ?? []);
  const push = repositories.map((repository) => {
    const of = projectOfRepository(repository);
    if (of !== undefined) return of;
    throw new DelosError('ERR_REQUEST', `${JSON.stringify(repository)} is the name of no image of a project`, {
      where,
      hint: 'images of this platform are named ORG/PROJECT/NAME, in lower case',
    });
  });
  const projects = await liveProjects(database.db, push);
  for (const { org, project } of push) {
    authorize(
      caller,
      projects.find((each) => each.org === org && each.project === project),
      'write',
      () =>
        new DelosError('ERR_FORBIDDEN', `${caller.user} is no member of project ${org}/${project}, or there is none`, {
          where,
        }),
    );
  }
  return {
    image: builder.image,
    args: build.args,
    env: {
      DELOS_REGISTRY: registry,
      ...(settings.publicUrl.startsWith('http:') ? { DELOS_REGISTRY_PLAIN: 'true' } : {}),
      ...(builder.registryAt === undefined ? {} : { DELOS_REGISTRY_AT: builder.registryAt }),
      ...(builder.authorities === undefined ? {} : { DELOS_REGISTRY_AUTHORITIES: builder.authorities }),
    },
    secret: {
      org: meta.org_name ?? '',
      project: meta.project_name ?? '',
      key: '',
      env: [],
      files: [KEYS_FILE],
      imageBuild: { user: caller.id, push: [...new Set(push.map(({ org, project }) => `${org}/${project}`))] },
    },
  };
}

/**
 * What a build mounts of the storage, less the file in which the client put its user’s token for the platform, where nothing else is in
 * that: commands of the build could read it, and the builder has a credential of its own.
 * @param read the text of a mounted file; undefined where it cannot be had
 */
export async function withoutOwnKeys(
  files: readonly FileMount[],
  registry: string | undefined,
  read: (file: FileMount) => Promise<string | undefined>,
): Promise<readonly FileMount[]> {
  const kept = await Promise.all(
    files.map(async (file) => {
      if (registry === undefined || !CLIENT_KEYS.includes(file.path)) return [file];
      const hosts = hostsIn(await read(file));
      return hosts?.every((host) => host === registry) === true ? [] : [file];
    }),
  );
  return kept.flat();
}

/** Registries of which a Docker configuration has credentials; undefined for what is none. */
function hostsIn(text: string | undefined): readonly string[] | undefined {
  try {
    const { auths } = JSON.parse(text ?? '') as { readonly auths?: unknown };
    return typeof auths === 'object' && auths !== null && !Array.isArray(auths) ? Object.keys(auths) : undefined;
  } catch {
    return undefined;
  }
}
