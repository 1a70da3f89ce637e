import { z } from 'zod';
import { cores, count, dnsLabel, plainText, size } from '../config-fields.ts';
import { nodeLabels } from '../config-labels.ts';
import { GPU_KINDS } from '../words/gpu-kinds.ts';
import { SECURITY_LEVELS } from '../words/job-words.ts';
import { POOL_LABEL } from '../words/labels.ts';
import { decimal, priceChange } from './credits/index.ts';

/* What nodes have, and what one job gets of them. */

const gpu = z.strictObject({
  count: count.min(1).describe('Whole devices'),
  model: plainText.optional().describe('Model, as users see it'),
  memory: size.optional().describe('Memory of one device'),
});

export const securityProfile = z.enum(SECURITY_LEVELS);
export type SecurityProfile = z.infer<typeof securityProfile>;

export const nodePool = z.strictObject({
  name: dnsLabel.describe(`Value of the nodes’ label ${POOL_LABEL}`),
  minSize: count.default(1).describe('Fewest nodes'),
  maxSize: count.min(1).default(1).describe('Most nodes'),
  cpu: cores.optional().describe('Cores of one node; left out: what the node reports'),
  memory: size.optional().describe('Memory of one node; left out: what the node reports'),
  disk: size.optional().describe('Disk of one node'),
  nvidiaGpu: gpu.optional().describe(`NVIDIA GPUs of one node (${GPU_KINDS.nvidiaGpu.resource})`),
  amdGpu: gpu.optional().describe(`AMD GPUs of one node (${GPU_KINDS.amdGpu.resource})`),
  intelGpu: gpu.optional().describe(`Intel GPUs of one node (${GPU_KINDS.intelGpu.resource})`),
  fakeGpus: z
    .boolean()
    .default(false)
    .describe('For development: the GPUs above are announced on the embedded node though no device is behind them'),
  labels: nodeLabels.default({}).describe('Further labels of its nodes'),
  preemptible: z.boolean().default(false).describe('Its nodes may be taken away at any time'),
});

/** Local disk of a job that says nothing else: room for a few packages and a checkpoint. */
export const JOB_DISK = 10 * 2 ** 30;
/** Least local disk of a job. Its log lies there too, of which the node keeps up to 50 MiB. */
export const LEAST_JOB_DISK = 64 * 2 ** 20;

export const preset = z.strictObject({
  name: dnsLabel.describe('What users name: apolo run --preset NAME'),
  cpu: cores.describe('Cores'),
  memory: size.describe('Memory; the job is ended when it takes more. What it writes to /dev/shm is part of it'),
  disk: size
    .default(JOB_DISK)
    .describe(
      'Local disk: the job is ended when its files outside of volumes, and its log, take more. At least 64Mi; the node must have it free when it is used, not before',
    ),
  nvidiaGpu: gpu.optional().describe('NVIDIA GPUs'),
  amdGpu: gpu.optional().describe('AMD GPUs'),
  intelGpu: gpu.optional().describe('Intel GPUs'),
  creditsPerHour: decimal.default('0').describe('Price, a decimal number in quotes'),
  priceChanges: z
    .array(priceChange)
    .max(50)
    .optional()
    .describe('Prices that begin later; what ran before is charged by the price of its time'),
  pools: z.array(dnsLabel).default([]).describe('Node pools that may hold it; empty: any'),
  preemptible: z
    .boolean()
    .default(false)
    .describe(
      'Its jobs may be preempted by others of higher priority in their project, and by projects that take back what they are guaranteed: they are suspended, and run again from their beginning. In return they may use what others are guaranteed and leave idle',
    ),
  security: securityProfile
    .default('baseline')
    .describe('Pod Security level of its jobs; privileged also needs the project’s right'),
});
