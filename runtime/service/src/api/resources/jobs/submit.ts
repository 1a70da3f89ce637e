import type { JobRow, Tx } from '../../../db/schema.ts';
import type { ApiDeps, Caller } from '../../deps.ts';
import { ownRegistry } from '../registry/platform-image.ts';
import { fileMountsFor, textOfFile } from '../storage/index.ts';
import { carriedBuild, withoutOwnKeys } from './builds/carry-out.ts';
import { type CreateContext, createJob } from './create.ts';
import { checkImageRight } from './image-right.ts';
import { checkImageSource } from './image-source.ts';
import { checkQuotas } from './quotas.ts';
import type { JobRequest } from './request.ts';

export interface Submitter {
  readonly caller: Caller;
  /** Of a job that names none. */
  readonly cluster: string;
  /** The caller's, to be shown to the program that has the files. */
  readonly authorization: string | undefined;
  readonly idempotencyKey?: string | undefined;
  readonly trace?: string | undefined;
  /** Of a job whose maker knows it before. @default a new one */
  readonly id?: string;
  /** What must hold while the job is written. @default nothing more */
  readonly first?: (tx: Tx) => Promise<void>;
}

/** Makes a job, whoever asks for it. @throws DelosError with what to do; nothing is made then */
export async function submitJob(deps: ApiDeps, request: JobRequest, by: Submitter): Promise<JobRow> {
  const { settings } = deps;
  const build = await carriedBuild(deps, by.caller, request, by.cluster);
  // What is not pulled is not judged.
  if (build === undefined) await checkImageSource(request, deps.imageSource);
  await checkImageRight(deps, by.caller, request);
  const mounted = await fileMountsFor(deps, request.container.volumes ?? [], {
    caller: by.caller,
    cluster: request.meta.cluster_name ?? by.cluster,
    field: 'container' in request.meta ? 'container.volumes' : 'volumes',
    authorization: by.authorization,
  });
  const files =
    build === undefined
      ? mounted
      : await withoutOwnKeys(mounted, ownRegistry(settings), (file) =>
          textOfFile(settings.filesUrl, file, by.authorization),
        );
  const row = await deps.database.tx(async (tx) => {
    await by.first?.(tx);
    return createJob(tx, request, { ...contextOf(deps, by), files, build });
  });
  deps.log.info({ job: row.id, user: by.caller.user, preset: row.preset }, 'job made');
  return row;
}

/** What a job is made with, beside what it mounts. */
export function contextOf({ settings }: ApiDeps, by: Submitter): Omit<CreateContext, 'files'> {
  return {
    cluster: by.cluster,
    ownCluster: settings.cluster,
    caller: by.caller,
    idempotencyKey: by.idempotencyKey,
    queue: settings.queue,
    logs: settings.logs,
    publicUrl: settings.publicUrl,
    secretsKey: settings.secretsKey,
    checkQuota: checkQuotas,
    trace: by.trace,
    ...(by.id === undefined ? {} : { id: by.id }),
  };
}
