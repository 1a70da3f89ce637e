import { z } from 'zod';
import { labels, name, positive } from './model-fields.ts';

/* What a preset asks of a node's devices: whole ones, parts, slices, or a claim as DRA makes it. */

/** Which devices will do; left out: any. `attributes` are matched as a claim of DRA (resource.k8s.io/v1) matches them. */
const deviceFilter = {
  /** Extended resource, by which vendors are told apart: nvidia.com/gpu, amd.com/gpu, gpu.intel.com/i915. */
  resource: name.optional(),
  models: z.array(name).optional(),
  /** Memory that each device must have at least. */
  minMemoryMiB: positive.optional(),
  attributes: labels.optional(),
};

/**
 * How jobs share a device; left out: time-slice. All that share one device do it in the same way.
 *
 * time-slice: they take turns, and nothing keeps one from another's memory: a request by memory is booked, not enforced.
 * mps: they run side by side, each with its part of the threads and of the memory as a limit that the driver enforces;
 * a device serves at most 48 such clients.
 *
 * Sources: NVIDIA k8s-device-plugin, "Shared Access to GPUs" (one mode a device); NVIDIA Multi-Process Service guide
 * (CUDA_MPS_ACTIVE_THREAD_PERCENTAGE, CUDA_MPS_PINNED_DEVICE_MEM_LIMIT, 48 clients a device since Volta).
 */
export const sharing = z.enum(['time-slice', 'mps']);
export type Sharing = z.infer<typeof sharing>;

const attributeValue = z.union([z.string(), z.number(), z.boolean()]);

/** One condition on a device's attribute; without any of `in`, `notIn`, `atLeast`, `atMost`: it must be there. */
export const deviceSelector = z.strictObject({
  attribute: name,
  in: z.array(attributeValue).min(1).optional(),
  notIn: z.array(attributeValue).min(1).optional(),
  /** Numbers, also such as are written as text. */
  atLeast: z.number().optional(),
  atMost: z.number().optional(),
});
export type DeviceSelector = z.infer<typeof deviceSelector>;

/** A DeviceClass: what the administrator calls by one name. */
export const deviceClass = z.strictObject({ name, selectors: z.array(deviceSelector).default([]) });
export type DeviceClass = z.infer<typeof deviceClass>;

/** Devices of one class within a claim. */
export const deviceRequest = z
  .strictObject({
    name,
    class: name,
    selectors: z.array(deviceSelector).default([]),
    allocationMode: z.enum(['ExactCount', 'All']).default('ExactCount'),
    /** ExactCount: so many. */
    count: positive.default(1),
    /**
     * All: every device of the node that matches, and none of them may be in use. It is charged for so many, and nodes
     * that have more do not suit: a quota is counted before a node is known.
     */
    upTo: positive.max(64).optional(),
  })
  .refine(({ allocationMode, upTo }) => (allocationMode === 'All') === (upTo !== undefined), {
    message: 'allocationMode All needs upTo, and nothing else has it',
    path: ['upTo'],
  });
export type DeviceRequest = z.infer<typeof deviceRequest>;

/** Devices of these requests (left out: of all) have one value of an attribute in common. */
export const matchAttribute = z.strictObject({ matchAttribute: name, requests: z.array(name).optional() });

export const gpuRequest = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('whole'), count: positive, ...deviceFilter }),
  /** Part of one device, in thousandths: of its time, or with MPS of its threads and memory. */
  z.strictObject({
    kind: z.literal('fraction'),
    milli: z.number().int().min(1).max(999),
    sharing: sharing.optional(),
    ...deviceFilter,
  }),
  /** Part of one device by its memory. */
  z.strictObject({ kind: z.literal('memory'), memoryMiB: positive, sharing: sharing.optional(), ...deviceFilter }),
  /** Whole devices of one node in the manner of a ResourceClaim. */
  z.strictObject({
    kind: z.literal('claim'),
    requests: z.array(deviceRequest).min(1).max(8),
    constraints: z.array(matchAttribute).max(4).default([]),
  }),
  /** MIG slices by their resource name, e.g. nvidia.com/mig-1g.10gb. */
  z.strictObject({ kind: z.literal('slice'), profile: name, count: positive }),
]);
export type GpuRequest = z.infer<typeof gpuRequest>;
