import { z } from 'zod';

/*
 * The fields of Kubernetes objects that the agent depends on. https://kubernetes.io/docs/reference/kubernetes-api/
 */

const metadata = z.object({
  name: z.string(),
  namespace: z.string().optional(),
  uid: z.string(),
  resourceVersion: z.string().default(''),
  creationTimestamp: z.string().optional(),
  /** When the Pod shall be gone, and how long before that it was told. */
  deletionTimestamp: z.string().optional(),
  deletionGracePeriodSeconds: z.number().optional(),
  labels: z.record(z.string(), z.string()).default({}),
  annotations: z.record(z.string(), z.string()).default({}),
});

const terminated = z.object({
  exitCode: z.number().int(),
  reason: z.string().default(''),
  message: z.string().default(''),
  startedAt: z.string().nullish(),
  finishedAt: z.string().nullish(),
});

const containerState = z.object({
  waiting: z.object({ reason: z.string().default(''), message: z.string().default('') }).optional(),
  running: z.object({ startedAt: z.string().nullish() }).optional(),
  terminated: terminated.optional(),
});

const containerStatus = z.object({
  name: z.string(),
  restartCount: z.number().int().default(0),
  imageID: z.string().default(''),
  containerID: z.string().default(''),
  state: containerState.default({}),
  lastState: containerState.default({}),
});
export type ContainerStatus = z.infer<typeof containerStatus>;

export const podShape = z.object({
  metadata,
  spec: z.object({
    nodeName: z.string().optional(),
    activeDeadlineSeconds: z.number().optional(),
    restartPolicy: z.string().default('Always'),
    containers: z.array(z.object({ name: z.string(), image: z.string().default(''), tty: z.boolean().default(false) })),
  }),
  status: z
    .object({
      phase: z.string().default('Pending'),
      reason: z.string().default(''),
      message: z.string().default(''),
      podIP: z.string().optional(),
      startTime: z.string().optional(),
      conditions: z
        .array(
          z.object({
            type: z.string(),
            status: z.string(),
            reason: z.string().default(''),
            message: z.string().default(''),
            lastTransitionTime: z.string().nullish(),
          }),
        )
        .default([]),
      containerStatuses: z.array(containerStatus).default([]),
    })
    .prefault({}),
});
export type Pod = z.infer<typeof podShape>;

const taint = z.object({ key: z.string(), effect: z.string() });
export type Taint = z.infer<typeof taint>;

export const nodeShape = z.object({
  metadata,
  spec: z.object({ unschedulable: z.boolean().default(false), taints: z.array(taint).default([]) }).prefault({}),
  status: z
    .object({
      allocatable: z.record(z.string(), z.string()).default({}),
      addresses: z.array(z.object({ type: z.string(), address: z.string() })).default([]),
      conditions: z.array(z.object({ type: z.string(), status: z.string() })).default([]),
    })
    .prefault({}),
});
export type Node = z.infer<typeof nodeShape>;

const requests = z.object({ requests: z.record(z.string(), z.string()).default({}) }).prefault({});

/** What any Pod takes of its node. */
export const podUsageShape = z.object({
  metadata,
  spec: z.object({
    nodeName: z.string().optional(),
    containers: z.array(z.object({ resources: requests })),
    initContainers: z.array(z.object({ resources: requests, restartPolicy: z.string().optional() })).default([]),
    overhead: z.record(z.string(), z.string()).default({}),
  }),
  status: z.object({ phase: z.string().default('Pending') }).prefault({}),
});
export type PodUsage = z.infer<typeof podUsageShape>;

export const eventShape = z.object({
  metadata,
  reason: z.string().default(''),
  message: z.string().default(''),
  involvedObject: z.object({ kind: z.string().optional(), name: z.string().default(''), uid: z.string().default('') }),
});
export type KubeEvent = z.infer<typeof eventShape>;
