import { z } from 'zod';
import { jobId, jobPodSpec } from './job.ts';
import { secretValue } from './job-secret.ts';

/*
 * Life of a job as the agent sees it:
 *   run     the Pod shall exist (created once: a Pod of that name that exists is the same run)
 *   stop    the container shall end, the Pod stay, so that its log can still be read (activeDeadlineSeconds)
 *   remove  the end is recorded and the log archived: the Pod may go, and then the next run may come
 * A job that is preempted has one Pod after another. Each is a *run*.
 */
export const jobDesire = z.object({
  kind: z.literal('job'),
  id: jobId,
  revision: z.number().int().nonnegative(),
  spec: z.object({
    action: z.enum(['run', 'stop', 'remove']),
    /** Seconds between SIGTERM and SIGKILL at a stop. */
    graceSeconds: z.number().int().nonnegative().default(15),
    /** Number of the run, from 0. */
    run: z.number().int().nonnegative().default(0),
    /** The run's Pod that was seen: when it is gone it is observed as `absent`, never made again. Null: none was seen. */
    podUid: z.string().nullable().default(null),
    /**
     * What the node shows to pull the image, which is in the platform's own registry and of this project. A credential:
     * nothing that a job, or whoever lists Pods, can read may hold it. Left out: the image is elsewhere.
     */
    pull: z.object({ registry: z.string(), org: z.string(), project: z.string(), password: z.string() }).optional(),
    /**
     * The values of `pod.secrets`, in their order. They are told until its Pod runs, stand in no row, and nothing that a Pod
     * shows or a log says may hold them. Left out: there are none, or the cluster has them already.
     */
    secretValues: z.array(secretValue).optional(),
    /**
     * A secret of the project whose credentials the image is pulled by, and these, as a Docker configuration. The same
     * as of `secretValues` is true of it.
     */
    registryAuth: z.object({ secret: z.string(), config: z.string() }).optional(),
    pod: jobPodSpec,
  }),
});
export type JobDesire = z.infer<typeof jobDesire>;
