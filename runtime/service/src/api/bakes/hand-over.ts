import { DelosError } from '@delos/core';
import type { JobRow, Tx } from '../../db/schema.ts';
import { makeJobToken } from '../../db/secrets/job-tokens.ts';
import type { ApiDeps } from '../deps.ts';
import { bakePlace } from '../flow/find.ts';
import { createJob } from '../resources/jobs/create.ts';
import { type JobRequest, parseJobRequest } from '../resources/jobs/request.ts';
import { contextOf, type Submitter } from '../resources/jobs/submit.ts';
import { becomeExecutor } from './executor-row.ts';

const NO_QUEUE = { queuedPerUser: Number.MAX_SAFE_INTEGER, queuedPerProject: Number.MAX_SAFE_INTEGER };

/**
 * Takes a bake over from the client, for whom a job stands that has no Pod. Whoever may write in the bake's project may
 * hand it over, and its jobs are theirs.
 * @throws DelosError ERR_NOT_FOUND, ERR_FORBIDDEN, ERR_CONFLICT where nothing of it waits to be carried out
 */
export async function handOver(deps: ApiDeps, request: JobRequest, bake: string, by: Submitter): Promise<JobRow> {
  const place = await bakePlace(deps, by.caller, bake, 'write');
  const row = await deps.database.tx((tx) => handOverIn(tx, deps, { request, bake, place, by }));
  deps.log.info({ job: row.id, bake, user: by.caller.user }, 'a bake was handed over');
  return row;
}

/** As `handOver`, of a bake that the caller may write. */
export async function handOverIn(
  tx: Tx,
  deps: ApiDeps,
  {
    request,
    bake,
    place: { org, project },
    by,
  }: {
    readonly request: JobRequest;
    readonly bake: string;
    readonly place: { readonly org: string; readonly project: string };
    readonly by: Submitter;
  },
): Promise<JobRow> {
  const { meta, container } = request;
  const elsewhere = [
    [meta.project_name, project],
    [meta.org_name, org],
    [meta.cluster_name, deps.settings.cluster],
  ].some(([asked, own]) => typeof asked === 'string' && asked !== own);
  if (elsewhere) {
    throw new DelosError('ERR_REQUEST', `bake ${bake} belongs to project ${org}/${project}, and is carried out there`, {
      where: { field: 'project_name' },
    });
  }
  // Nothing of it runs anywhere: it mounts nothing, holds no secret, and waits in no queue.
  const bare: JobRequest = {
    ...request,
    meta: { ...meta, org_name: org, project_name: project, pass_config: false, http: null } as JobRequest['meta'],
    container: { ...container, volumes: [], secret_volumes: [], secret_env: {}, disk_volumes: [], http: null },
  };
  const { secretsKey } = deps.settings;
  const made = await createJob(tx, bare, {
    ...contextOf(deps, by),
    files: [],
    queue: NO_QUEUE,
    checkQuota: async () => {},
  });
  if (made.carries === bake) return made;
  // By it the folders that jobs mount are made, with the user's own right.
  if (secretsKey !== undefined) await makeJobToken(tx, secretsKey, { job: made.id, user: by.caller });
  return becomeExecutor(tx, made, bake);
}

/** The job that stands for a bake which no client's executor was asked to carry out. */
export function executorRequest({
  flow,
  batch,
  bake,
  minutes,
}: {
  readonly flow: string;
  readonly batch: string;
  readonly bake: string;
  readonly minutes: number;
}): JobRequest {
  const tags = [`project:${flow}`, `flow:${batch}`, `bake_id:${bake}`, 'remote_executor'];
  return parseJobRequest(
    {
      container: {
        // It is never pulled: the platform is the executor.
        image: 'ghcr.io/neuro-inc/apolo-flow',
        command: `apolo-flow --fake-workspace execute ${bake}`,
        resources: { cpu: 0.001 },
      },
      tags,
      max_run_time_minutes: minutes,
    },
    false,
  );
}
