import { z } from 'zod';
import { securityProfile } from '../config/resources.ts';
import { JOB_PRIORITIES, JOB_STATUSES, RESTART_POLICIES } from '../words/job-words.ts';
import { diskMount } from './disk.ts';
import { fileMount } from './file-mount.ts';
import { jobSecret } from './job-secret.ts';

/** `job-` and a UUID: what the official client takes for an id without asking. */
export const jobId = z.string().regex(/^job-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);

export const jobStatus = z.enum(JOB_STATUSES);
export const restartPolicy = z.enum(RESTART_POLICIES);
export const jobPriority = z.enum(JOB_PRIORITIES);

/** Reasons shown to people; `history.reason`. The client has logic for `Restarting` alone. */
export const REASONS = [
  'Creating',
  'Scheduling',
  'QuotaExhausted',
  'NoCapacity',
  'DiskInUse',
  'DiskNotReady',
  'Pulling',
  'ContainerCreating',
  'ErrImagePull',
  'Restarting',
  'OOMKilled',
  'Error',
  'LifeSpanEnded',
  'ScheduleTimeout',
  'Killed',
  'Preempted',
  'NodeLost',
  'Evicted',
  'CannotStart',
] as const;
export type Reason = (typeof REASONS)[number];

export const jobResources = z.object({
  /** Cores. */
  cpu: z.number().positive(),
  /** Bytes. */
  memory: z.number().int().positive(),
  /** Bytes of local disk: files outside of volumes, and the log. @default JOB_DISK, also of jobs that were there before it was */
  disk: z.number().int().positive().optional(),
  /** Extended resource name → whole devices, e.g. `nvidia.com/gpu`. */
  extended: z.record(z.string(), z.number().int().positive()).default({}),
  /** A real /dev/shm as large as the job's memory, not the runtime's 64 MiB. */
  shm: z.boolean().default(true),
});

/** All that the agent needs to make a job's Pod. */
export const jobPodSpec = z.object({
  namespace: z.string(),
  org: z.string(),
  project: z.string(),
  owner: z.string(),
  name: z.string().nullable().default(null),
  presetName: z.string(),
  image: z.string(),
  /** Split words, as the API read them; null: the image's own. */
  entrypoint: z.array(z.string()).nullable().default(null),
  command: z.array(z.string()).nullable().default(null),
  workingDir: z.string().nullable().default(null),
  env: z.record(z.string(), z.string()).default({}),
  tty: z.boolean().default(false),
  resources: jobResources,
  /** Pools the scheduler chose from; the Pod is bound to a node of `pool`. */
  pool: z.string(),
  /** Node of the pool that the scheduler counts on. Another one will do: it may have gone meanwhile. Null: any. */
  node: z.string().nullable().default(null),
  httpPort: z.number().int().nullable().default(null),
  restartPolicy: restartPolicy.default('never'),
  /** Seconds a run may last; null: no limit. */
  maxRunTimeSeconds: z.number().int().positive().nullable().default(null),
  priority: jobPriority.default('normal'),
  security: securityProfile.default('baseline'),
  /** Left out of jobs that were there before disks were. */
  disks: z.array(diskMount).optional(),
  /** What it has of the file storage. Left out of jobs that were there before it was. */
  files: z.array(fileMount).optional(),
  /** What it has of secrets; their values are not here. Left out: none. */
  secrets: z.array(jobSecret).optional(),
});
export type JobPodSpec = z.infer<typeof jobPodSpec>;
