import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { agent, collector, controlApi, type DelosConfig, gateway, isEnabled, scheduler } from '@delos/constructs';
import { DelosError, type InstancePaths, type PlatformConfig, type Progress } from '@delos/core';
import { tryReadJson, writeJson } from '@delos/host';
import { z } from 'zod';
import { type ApiClient, type ApiJob, isFinished } from './api-client.ts';

/** Services that the configuration leaves out and without which no job can be sent, run and read. */
export const leftOutForJobs = (config: DelosConfig): readonly string[] =>
  [gateway, controlApi, scheduler, agent, collector]
    .filter((service) => !isEnabled(config, service))
    .map(({ name }) => name);

const NAME = 'first-job';
const IMAGE = 'ghcr.io/neuro-inc/base';
const COMMAND = 'sh -c \'echo "Hello from $(hostname): $(nproc) cores, $(python3 --version), $(uname -sr)"; id\'';
const recordSchema = z.object({ id: z.string() });

export interface FirstJob {
  readonly id: string;
  readonly output: string;
}

/**
 * A job sent through the public API, as any client would; once an instance. Its id is recorded as soon as it is known;
 * a run that was killed before finds it again by its name.
 *
 * @throws DelosError ERR_DEPLOY when it did not succeed, ERR_TIMEOUT when it did not end
 */
export async function firstJob(
  api: ApiClient,
  paths: InstancePaths,
  config: PlatformConfig,
  progress: Progress,
  signal: AbortSignal,
): Promise<FirstJob> {
  const file = join(paths.state, 'first-job.json');
  const remote = await api.config();
  const cluster = remote.clusters.find(({ name }) => name === config.cluster.name) ?? remote.clusters[0];
  const here = remote.projects.filter(({ cluster_name: name }) => name === cluster?.name);
  // The configuration's first project, as a person who reads it expects; the API's order is its own.
  const [organization] = config.organizations;
  const project =
    here.find(({ org_name: org, name }) => org === organization?.name && name === organization.projects[0]?.name) ??
    here[0];
  if (cluster === undefined || project === undefined) {
    throw new DelosError('ERR_DEPLOY', 'the platform knows no cluster and project of the first admin', {
      hint: '`delos logs control-api` tells why',
    });
  }
  const where = { cluster_name: cluster.name, org_name: project.org_name, project_name: project.name };
  const recorded = tryReadJson(file, recordSchema);
  let job =
    (recorded === undefined ? undefined : await api.tryJob(recorded.id)) ??
    (await api.jobsNamed(NAME, where)).find(({ status }) => status !== 'failed' && status !== 'cancelled');
  if (job === undefined || (isFinished(job) && job.status !== 'succeeded')) {
    const preset = config.presets[0];
    job = await api.createJob({
      ...where,
      preset_name: preset?.name ?? '',
      image: IMAGE,
      command: COMMAND,
      name: NAME,
      description: 'sent by `delos up` to see that everything works',
      max_run_time_minutes: 10,
      pass_config: false,
    });
  }
  if (job.id !== recorded?.id) writeJson(file, { id: job.id });
  const ended = await waitForEnd(api, job, progress, signal);
  const output = (await api.log(cluster.monitoring_url, ended.id)).toString('utf8');
  if (ended.status !== 'succeeded') throw failed(ended, output);
  return { id: ended.id, output };
}

async function waitForEnd(api: ApiClient, first: ApiJob, progress: Progress, signal: AbortSignal): Promise<ApiJob> {
  const limitSeconds = 600;
  const started = performance.now();
  let job = first;
  while (!isFinished(job)) {
    const elapsed = Math.round((performance.now() - started) / 1000);
    const { reason, description } = job.history;
    const last = [job.status, reason, description].filter((part) => (part ?? '') !== '').join(', ');
    if (elapsed >= limitSeconds) {
      throw new DelosError(
        'ERR_TIMEOUT',
        `job ${job.id} did not end: ${last}, after ${elapsed} s of ${limitSeconds} s`,
        {
          hint: '`delos logs agent` and `delos kubectl get events -A` tell more',
        },
      );
    }
    // A new state at once, an old one each ten seconds.
    progress.step(`job ${job.id}: ${last} (${elapsed - (elapsed % 10)} s of ${limitSeconds} s)`);
    await sleep(250, undefined, { signal });
    job = await api.job(job.id);
  }
  return job;
}

function failed(job: ApiJob, output: string): DelosError {
  const { reason, description, exit_code: code } = job.history;
  const why = [reason, description, code == null ? '' : `exit code ${code}`].filter((part) => (part ?? '') !== '');
  return new DelosError('ERR_DEPLOY', `the first job ${job.id} ${job.status}: ${why.join(', ')}`, {
    hint: `its last words: ${output.trim().split('\n').at(-1) ?? ''}`,
    data: { output },
  });
}
