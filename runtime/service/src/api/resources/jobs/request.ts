import { DelosError, jobPriority, MAX_ARGUMENT_BYTES, restartPolicy } from '@delos/core';
import { z } from 'zod';
import { diskVolumes } from '../disks/index.ts';
import { secretEnv, secretVolumes } from '../secrets/index.ts';
import { storageVolumes } from '../storage/index.ts';
import { PASSED_CONFIG } from './passed-config.ts';
import { checkJobTexts } from './text-limits.ts';

/*
 * What the client sends to make a job. Two forms: flat with a preset (`POST /jobs?from_preset`), where the container's
 * fields lie at the top, and nested (`POST /jobs`) with `container` and explicit resources. Both become one.
 */

const ENV_NAME = /^[-._a-zA-Z][-._a-zA-Z0-9]*$/;
// distribution/reference: [domain[:port]/]path[:tag][@digest]
const DOMAIN = '(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?(?::\\d+)?)';
const COMPONENT = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';
const IMAGE = new RegExp(
  `^(?:${DOMAIN}/)?${COMPONENT}(?:/${COMPONENT})*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@[a-z0-9]+:[a-f0-9]{32,})?$`,
);
/** A job's own name; the client's rule. */
const JOB_NAME = /^[a-z](?:-?[a-z0-9])*$/;

const text = (limit: number) => z.string().max(limit);
const argument = z
  .string()
  .refine((given) => Buffer.byteLength(given) <= MAX_ARGUMENT_BYTES, `must be at most ${MAX_ARGUMENT_BYTES} bytes`);

const variable = z
  .string()
  .max(1024)
  .regex(ENV_NAME, 'the name of a variable has letters, digits and . _ - and does not begin with a digit');

const env = z
  .record(variable, argument)
  .refine((given) => PASSED_CONFIG.every((name) => !(name in given)), `must not set ${PASSED_CONFIG.join(' or ')}`);

const image = z
  .string()
  .min(1)
  .max(512)
  .superRefine((name, context) => {
    if (IMAGE.test(name)) return;
    const hint = IMAGE.test(name.toLowerCase()) ? ': repository names are lower-case' : '';
    context.addIssue({
      code: 'custom',
      message: `${JSON.stringify(name)} is not an image name${hint}; expected [HOST/]PATH[:TAG], e.g. ubuntu:24.04`,
    });
  });

const count = z.number().int().nonnegative();

const resources = z.object({
  cpu: z.number().positive().optional(),
  memory: z.number().int().positive().optional(),
  /** MiB, as older SDKs sent it. */
  memory_mb: z.number().int().positive().optional(),
  shm: z.boolean().optional(),
  nvidia_gpu: count.nullish(),
  amd_gpu: count.nullish(),
  intel_gpu: count.nullish(),
  tpu: z.unknown().optional(),
});

const container = z.object({
  image,
  entrypoint: argument.nullish(),
  command: argument.nullish(),
  working_dir: z.string().max(4096).regex(/^\//, 'expected an absolute path').nullish(),
  http: z
    .object({
      port: z.number().int().min(1).max(65535),
      requires_auth: z.boolean().default(false),
    })
    .nullish(),
  env: env.nullish(),
  tty: z.boolean().nullish(),
  volumes: storageVolumes.nullish(),
  secret_env: secretEnv(variable)
    .refine((given) => PASSED_CONFIG.every((name) => !(name in given)), `must not set ${PASSED_CONFIG.join(' or ')}`)
    .nullish(),
  secret_volumes: secretVolumes.nullish(),
  disk_volumes: diskVolumes.nullish(),
});

const meta = z.object({
  preset_name: z.string().nullish(),
  cluster_name: z.string().nullish(),
  project_name: z.string().nullish(),
  org_name: z.string().nullish(),
  pass_config: z.boolean().nullish(),
  name: z
    .string()
    .min(3)
    .max(40)
    .regex(JOB_NAME, 'expected 3–40 lower-case letters, digits and single hyphens, beginning with a letter')
    .refine((name) => !/^job-[0-9a-z]{8}-/.test(name), 'must not look like a job id')
    .nullish(),
  tags: z.array(z.string().min(1).max(256)).max(64).nullish(),
  description: text(4096).nullish(),
  schedule_timeout: z.number().positive().max(1e9).nullish(),
  restart_policy: restartPolicy.nullish(),
  max_run_time_minutes: z.number().int().nonnegative().max(5_256_000).nullish(),
  wait_for_jobs_quota: z.boolean().nullish(),
  privileged: z.boolean().nullish(),
  priority: jobPriority.nullish(),
  energy_schedule_name: z.string().nullish(),
  scheduler_enabled: z.boolean().nullish(),
});

/** Flat form. */
export const presetJobRequest = meta.extend({
  ...container.shape,
  preset_name: z.string(),
  resources: resources.partial().nullish(),
});

/** Nested form: `container.resources` says what the job gets. */
export const containerJobRequest = meta.extend({
  container: container.extend({
    resources: resources.extend({ cpu: z.number().positive() }),
  }),
});

export type JobMeta = z.infer<typeof meta>;
export type JobContainer = z.infer<typeof container>;
export type JobResourcesRequest = z.infer<typeof resources>;

export interface JobRequest {
  readonly meta: JobMeta;
  readonly container: JobContainer;
  readonly resources: JobResourcesRequest;
}

/** @throws DelosError ERR_REQUEST naming the field */
export function parseJobRequest(body: unknown, fromPreset: boolean): JobRequest {
  const flat = fromPreset || !(typeof body === 'object' && body !== null && 'container' in body);
  if (flat) {
    const request = parse(presetJobRequest, body);
    checkJobTexts(request, request, '');
    return { meta: request, container: request, resources: request.resources ?? {} };
  }
  const request = parse(containerJobRequest, body);
  checkJobTexts(request, request.container, 'container.');
  return { meta: request, container: request.container, resources: request.container.resources };
}

function parse<S extends z.ZodType>(schema: S, body: unknown): z.infer<S> {
  const parsed = schema.safeParse(body ?? {});
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new DelosError('ERR_REQUEST', issue?.message ?? 'not accepted', {
    where: { field: issue?.path.join('.') ?? '' },
    hint: 'nothing was started; change it and run again',
  });
}
