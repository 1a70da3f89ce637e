import { randomUUID } from 'node:crypto';
import {
  DelosError,
  extendedResources,
  type FileMount,
  GPU_FIELDS,
  GPU_KINDS,
  type JobPodSpec,
  type LogSettings,
  type Preset,
} from '@delos/core';
import { sql } from 'kysely';
import { requirePresent } from '../../../db/clusters/present.ts';
import { NO_CREDITS, sentence } from '../../../db/credits/charger.ts';
import { creditsMissing } from '../../../db/credits/runs.ts';
import { notifyJobChanged, recordTransition } from '../../../db/jobs-state.ts';
import type { JobRow, ProjectRow, Tx } from '../../../db/schema.ts';
import { makeJobToken } from '../../../db/secrets/job-tokens.ts';
import type { LiveSecret } from '../../../live-secret.ts';
import type { Caller } from '../../deps.ts';
import { projectFor } from '../../project-for.ts';
import { stillUser } from '../../still-user.ts';
import { holdDisks, mountsFor } from '../disks/index.ts';
import { jobSecrets } from '../secrets/index.ts';
import type { CarriedBuild } from './builds/carry-out.ts';
import { logLimitOf } from './log-limit.ts';
import { passedConfig } from './passed-config.ts';
import { checkQueue, type QueueLimits } from './queue-limits.ts';
import type { JobDemand } from './quotas.ts';
import type { JobRequest } from './request.ts';
import { splitWords } from './shlex.ts';

const PRIORITY = { low: -1, normal: 0, high: 1 } as const;

export interface CreateContext {
  /** Of a job that names none. */
  readonly cluster: string;
  /** The platform's own one. */
  readonly ownCluster: string;
  readonly caller: Caller;
  readonly queue: QueueLimits;
  readonly logs: LogSettings;
  readonly publicUrl: string;
  readonly secretsKey: LiveSecret | undefined;
  /** @throws DelosError ERR_QUOTA_EXCEEDED */
  readonly checkQuota: (tx: Tx, demand: JobDemand) => Promise<void>;
  /** What it mounts of the file storage; all of it is there. */
  readonly files: readonly FileMount[];
  /** It is a build of an image, which is carried out in this way. */
  readonly build?: CarriedBuild | undefined;
  readonly idempotencyKey?: string | undefined;
  /** Of a job whose maker knows it before. @default a new one */
  readonly id?: string;
  /** The client's trace, which all requests of one call of the client have. */
  readonly trace?: string | undefined;
}

/**
 * Writes the row of a new job; admission and Pod follow from it.
 * @throws DelosError with what to do; nothing is written then
 */
export async function createJob(tx: Tx, request: JobRequest, context: CreateContext): Promise<JobRow> {
  refuseWhatIsNotThere(request);
  const key = context.idempotencyKey === undefined ? null : `#${context.caller.id}:${context.idempotencyKey}`;
  if (key !== null) {
    // Two requests of one key at once: the second waits here and finds the first one's job.
    await sql`select pg_advisory_xact_lock(hashtextextended(${key}, 0))`.execute(tx);
    const same = await tx.selectFrom('jobs').selectAll().where('idempotency_key', '=', key).executeTakeFirst();
    if (same !== undefined) return same;
  }
  await stillUser(tx, context.caller);
  const cluster = await requirePresent(tx, context.ownCluster, request.meta.cluster_name ?? context.cluster);
  const preset = await presetFor(tx, request, cluster);
  const wanted = { org: request.meta.org_name, name: request.meta.project_name };
  const project = await projectFor(tx, wanted, context.caller, { kind: 'job', cluster });
  const resources = resourcesOf(request, preset);
  const { caller } = context;
  await context.checkQuota(tx, { cluster, request, owner: caller.user, project, needs: resources });
  await checkQueue(tx, context.queue, { cluster, user: caller.user, org: project.org, project: project.name });
  const id = context.id ?? `job-${randomUUID()}`;
  const { meta, container } = request;
  const field = 'container' in meta ? 'container.disk_volumes' : 'disk_volumes';
  const disks = await mountsFor(tx, container.disk_volumes ?? [], { cluster, caller, project, field });
  const passed = passedConfig(meta.pass_config === true, project, context);
  const named = await jobSecrets(tx, {
    env: container.secret_env ?? {},
    volumes: container.secret_volumes ?? [],
    prefix: 'container' in meta ? 'container.' : '',
    ...{ cluster, caller, project },
  });
  const taken = disks.find(({ path }) => context.files.some((mount) => mount.path === path));
  if (taken !== undefined) {
    throw new DelosError('ERR_REQUEST', `${taken.path} is the place of a disk and of storage`, { where: { field } });
  }
  const { build } = context;
  const secrets = [...named, ...passed, ...(build === undefined ? [] : [build.secret])];
  const priority = meta.priority ?? 'normal';
  const spec: Omit<JobPodSpec, 'pool' | 'node'> = {
    namespace: project.namespace,
    org: project.org,
    project: project.name,
    owner: context.caller.user,
    name: meta.name ?? null,
    presetName: preset.name,
    image: container.image,
    entrypoint: wordsOf(container.entrypoint, 'entrypoint'),
    command: wordsOf(container.command, 'command'),
    workingDir: container.working_dir ?? null,
    env: { ...container.env, NEURO_JOB_ID: id, APOLO_JOB_ID: id },
    tty: container.tty ?? false,
    resources: { ...resources, shm: request.resources.shm ?? false },
    httpPort: container.http?.port ?? null,
    restartPolicy: meta.restart_policy ?? 'never',
    // The life-span can be extended while the job runs, so the scheduler watches it, not the kubelet.
    maxRunTimeSeconds: null,
    priority,
    security: securityOf(request, preset, project, build !== undefined),
    ...(build === undefined ? {} : ranAs(build, request, id)),
    ...(disks.length === 0 ? {} : { disks: [...disks] }),
    ...(context.files.length === 0 ? {} : { files: [...context.files] }),
    ...(secrets.length === 0 ? {} : { secrets }),
  };
  const minutes = meta.max_run_time_minutes ?? 0;
  const lifeSpan = minutes === 0 ? null : minutes;
  const missing = await creditsMissing(tx, {
    ...{ cluster, org: project.org, project: project.name, preset: preset.name, ran_seconds: 0 },
    credits_per_hour: preset.creditsPerHour,
    max_run_time_minutes: lifeSpan,
  });
  const row = await tx
    .insertInto('jobs')
    .values({
      id,
      cluster,
      org: project.org,
      project: project.name,
      owner: context.caller.user,
      name: meta.name ?? null,
      preset: preset.name,
      request: JSON.stringify(shownContainer(request)),
      spec: JSON.stringify(spec),
      description: meta.description ?? null,
      tags: [...new Set(meta.tags ?? [])],
      priority: PRIORITY[priority],
      reason: missing === undefined ? 'Creating' : NO_CREDITS,
      status_description: missing === undefined ? 'waits for the scheduler' : sentence(missing),
      held_for: missing ?? null,
      pools: [...preset.pools],
      preemptible: preset.preemptible,
      credits_per_hour: preset.creditsPerHour,
      schedule_timeout: meta.schedule_timeout ?? null,
      max_run_time_minutes: lifeSpan,
      log_limit: logLimitOf(request, context.logs),
      idempotency_key: key,
      made_by_trace: context.trace ?? null,
    })
    .returningAll()
    .executeTakeFirstOrThrow()
    .catch((error: unknown) => {
      throw nameTaken(error, meta.name ?? '') ?? error;
    });
  await holdDisks(tx, id, disks);
  if (passed.length > 0 && context.secretsKey !== undefined) {
    await makeJobToken(tx, context.secretsKey, { job: id, user: caller });
  }
  await recordTransition(tx, row);
  await notifyJobChanged(tx, row);
  return row;
}

function refuseWhatIsNotThere(request: JobRequest): void {
  if (request.meta.energy_schedule_name) throw notImplemented('energy schedules are not part of this release');
  if (request.resources.tpu) throw notImplemented('TPUs are not part of this release');
}

function notImplemented(message: string): DelosError {
  return new DelosError('ERR_NOT_IMPLEMENTED', message, { hint: 'nothing was started; run it without' });
}

function wordsOf(text: string | null | undefined, field: string): string[] | null {
  if (text === null || text === undefined) return null;
  const words = splitWords(text, field);
  return words.length === 0 ? null : words;
}

async function presetFor(tx: Tx, request: JobRequest, cluster: string): Promise<Preset> {
  const row = await tx.selectFrom('clusters').select('presets').where('name', '=', cluster).executeTakeFirst();
  const presets = row?.presets ?? [];
  const name = request.meta.preset_name;
  const found =
    name === null || name === undefined
      ? coveringPreset(presets, request)
      : presets.find((preset) => preset.name === name);
  if (found !== undefined) return found;
  const names = presets.map((preset) => preset.name).join(', ');
  throw new DelosError(
    'ERR_UNKNOWN_PRESET',
    name ? `no preset is called ${JSON.stringify(name)}; there are: ${names}` : `no preset offers that much: ${names}`,
    { where: { field: 'preset_name' }, hint: 'choose one with --preset NAME; apolo config show lists what each has' },
  );
}

/** A job that does not ask to be preemptible gets a preset that is not, where there is one. */
function coveringPreset(presets: readonly Preset[], request: JobRequest): Preset | undefined {
  const covering = presets.filter((preset) => offers(preset, request));
  const yields = request.meta.scheduler_enabled === true;
  return covering.find(({ preemptible }) => preemptible === yields) ?? covering[0];
}

/** Explicit resources are granted only within a preset: the catalogue is what the administrator offers. */
function offers(preset: Preset, { resources }: JobRequest): boolean {
  const memory = memoryOf(resources);
  const devices = GPU_FIELDS.every((field) => (resources[GPU_KINDS[field].wire] ?? 0) <= (preset[field]?.count ?? 0));
  return (resources.cpu ?? 0) <= preset.cpu && (memory ?? 0) <= preset.memory && devices;
}

function memoryOf(resources: JobRequest['resources']): number | undefined {
  return resources.memory ?? (resources.memory_mb === undefined ? undefined : resources.memory_mb * 2 ** 20);
}

function resourcesOf(request: JobRequest, preset: Preset): Omit<JobPodSpec['resources'], 'shm'> {
  const { cpu, memory, disk } = preset;
  if (request.meta.preset_name) return { cpu, memory, disk, extended: extendedResources(preset) };
  const extended = GPU_FIELDS.flatMap((field) => {
    const devices = request.resources[GPU_KINDS[field].wire] ?? 0;
    return devices === 0 ? [] : [[GPU_KINDS[field].resource, devices] as const];
  });
  return {
    cpu: request.resources.cpu ?? cpu,
    memory: memoryOf(request.resources) ?? memory,
    disk,
    extended: Object.fromEntries(extended),
  };
}

/** What runs in place of Kaniko. */
function ranAs({ image, args, env }: CarriedBuild, { container }: JobRequest, id: string) {
  return {
    image,
    entrypoint: null,
    command: [...args],
    env: { ...container.env, ...env, NEURO_JOB_ID: id, APOLO_JOB_ID: id },
  };
}

function securityOf(request: JobRequest, preset: Preset, project: ProjectRow, builds: boolean): JobPodSpec['security'] {
  const wanted = request.meta.privileged === true ? 'privileged' : preset.security;
  if (builds && wanted === 'restricted') {
    throw new DelosError(
      'ERR_FORBIDDEN',
      `images cannot be built with preset ${preset.name}: its jobs may not be root`,
      {
        hint: 'choose another one with --preset',
      },
    );
  }
  if (wanted !== 'privileged') return wanted;
  if (preset.security === 'restricted') {
    throw new DelosError('ERR_FORBIDDEN', `jobs of preset ${preset.name} cannot be privileged: it is restricted`, {
      hint: 'run it without --privileged, or with another preset',
    });
  }
  if (!project.privileged) {
    throw new DelosError('ERR_FORBIDDEN', `project ${project.org}/${project.name} may not run privileged jobs`, {
      hint: 'run it without --privileged; the administrator grants it by `privileged: true` of the project',
    });
  }
  return wanted;
}

/** The container as it is shown again: what the client sent, nothing that is null. */
function shownContainer({ container, meta }: JobRequest): Record<string, unknown> {
  const shown = {
    image: container.image,
    entrypoint: container.entrypoint,
    command: container.command,
    working_dir: container.working_dir,
    http: container.http,
    env: container.env ?? {},
    volumes: container.volumes?.length ? container.volumes : undefined,
    disk_volumes: container.disk_volumes?.length ? container.disk_volumes : undefined,
    secret_env: container.secret_env ?? undefined,
    secret_volumes: container.secret_volumes?.length ? container.secret_volumes : undefined,
    tty: container.tty ?? false,
    privileged: meta.privileged ?? false,
  };
  return Object.fromEntries(Object.entries(shown).filter(([, value]) => value !== null && value !== undefined));
}

function nameTaken(error: unknown, name: string): DelosError | undefined {
  const unique = error instanceof Error && 'constraint' in error && error.constraint === 'jobs_live_name';
  if (!unique) return undefined;
  return new DelosError('ERR_CONFLICT', `a job named ${JSON.stringify(name)} is live in this project`, {
    hint: `choose another name, or end it: apolo kill ${name}`,
  });
}
