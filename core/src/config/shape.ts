import { z } from 'zod';
import {
  bytes,
  cores,
  coresTogether,
  count,
  dnsLabel,
  dnsSubdomain,
  domain,
  email,
  plainText,
  port,
  registry,
  size,
  userName,
} from '../config-fields.ts';
import { nodeLabels } from '../config-labels.ts';
import { parseRegistry } from '../image-registry.ts';

/*
 * delos.yaml. Terminology: an *organization* has *projects*, a project has members and a quota. A *node pool* is a set
 * of like nodes, told apart by the label `delos.dev/pool`. A *preset* names the resources one job gets and the pools it
 * may run on. Memory and storage are Kubernetes quantities in the file (`512Mi`, `2G`), bytes after parsing; cores are
 * numbers or quantities (`500m`), numbers after parsing.
 *
 * What `describe` says is what people read: the file that `delos init` writes, docs/guides/configuration.md and the
 * JSON Schema for editors are made from it.
 */

const gpu = z.strictObject({
  count: count.min(1).describe('Whole devices'),
  model: plainText.optional().describe('Model, as users see it'),
  memory: size.optional().describe('Memory of one device'),
});

export const securityProfile = z.enum(['baseline', 'restricted', 'privileged']);
export type SecurityProfile = z.infer<typeof securityProfile>;

const nodePool = z.strictObject({
  name: dnsLabel.describe('Value of the nodes’ label delos.dev/pool'),
  minSize: count.default(1).describe('Fewest nodes'),
  maxSize: count.min(1).default(1).describe('Most nodes'),
  cpu: cores.optional().describe('Cores of one node; left out: what the node reports'),
  memory: size.optional().describe('Memory of one node; left out: what the node reports'),
  disk: size.optional().describe('Disk of one node'),
  nvidiaGpu: gpu.optional().describe('NVIDIA GPUs of one node (nvidia.com/gpu)'),
  amdGpu: gpu.optional().describe('AMD GPUs of one node (amd.com/gpu)'),
  intelGpu: gpu.optional().describe('Intel GPUs of one node (gpu.intel.com/i915)'),
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

const preset = z.strictObject({
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
  creditsPerHour: z
    .string()
    .regex(/^\d{1,12}(\.\d{1,9})?$/, 'expected a decimal number in quotes, at most 12 digits and 9 after the point')
    .default('0')
    .describe('Price, a decimal number in quotes'),
  pools: z.array(dnsLabel).default([]).describe('Node pools that may hold it; empty: any'),
  preemptible: z
    .boolean()
    .default(false)
    .describe(
      'Its jobs may be told to give way to others of higher priority in their project, and to projects that want back what they are guaranteed: they are suspended, and run again from their beginning. In return they may use what others are guaranteed and leave idle',
    ),
  security: securityProfile
    .default('baseline')
    .describe('Pod Security level of its jobs; privileged also needs the project’s right'),
});

const amounts = (leftOut: string) =>
  z.strictObject({
    runningJobs: count.optional().describe(`Jobs that run at once; left out: ${leftOut}`),
    cpu: coresTogether.optional().describe('Cores at once'),
    memory: bytes.optional().describe('Memory at once'),
    gpu: count.optional().describe('GPUs at once, of any make'),
  });
const quota = amounts('no limit');

/** How an organization, a project or a user in it stands beside others of its level. */
const share = {
  weight: z
    .number()
    .min(0.000_001)
    .max(1_000_000)
    .default(1)
    .describe('Its part of what there is to share: with 2 it gets twice as much as one with 1'),
  guarantee: amounts('nothing is guaranteed')
    .prefault({})
    .describe(
      'What it gets back at once from preemptible jobs of others when it asks for it; what it leaves idle is lent. Where anything is guaranteed, jobs that are not preemptible run within guarantees and what these leave',
    ),
  limit: quota.prefault({}).describe('The most that its jobs may hold with what it was lent'),
};

const member = z.strictObject({
  user: z.string().describe('Name of the admin or of one of `users`'),
  role: z.enum(['admin', 'manager', 'writer', 'reader']).default('writer').describe('A reader only looks'),
  ...share,
});

const project = z.strictObject({
  name: dnsLabel.describe('Project name'),
  quota: quota.prefault({}).describe('What its jobs may take together'),
  ...share,
  privileged: z.boolean().default(false).describe('Its jobs may be privileged: root on the node, in effect'),
  members: z.array(member).default([]).describe('Who may work in it, beside the admin'),
});

const organization = z.strictObject({
  name: dnsLabel.describe('Organization name'),
  quota: quota.prefault({}).describe('What all its projects’ jobs may take together'),
  ...share,
  projects: z
    .array(project)
    .min(1)
    .describe(
      'Its projects, in the order in which they are listed. After a login the client stands in the first by alphabet',
    ),
});

/** A chunk of a log can be 4 MiB, and half of the limit is for the log's end. */
export const SMALLEST_LOG_LIMIT = 8 * 2 ** 20;
const logLimit = bytes.refine((size) => size >= SMALLEST_LOG_LIMIT, 'expected 8Mi or more');

const replicas = count.default(1).describe('How many run');
const service = z.strictObject({ replicas }).prefault({});

export const configShape = z.strictObject({
  domain: domain
    .default('localhost')
    .describe('Public DNS name of the platform. localhost: reached from this machine alone'),
  cluster: z
    .strictObject({
      engine: z
        .enum(['auto', 'existing', 'kind', 'embedded'])
        .default('auto')
        .describe('How the cluster comes to be. auto: the one that KUBECONFIG names, else embedded on this machine'),
      name: dnsLabel.default('default').describe('Its name in the platform'),
      context: plainText.optional().describe('Kubeconfig context of an existing cluster'),
      userNamespaces: z
        .boolean()
        .default(true)
        .describe('The platform’s Pods run in user namespaces of their own, where every node can do that'),
      storageClass: dnsSubdomain.optional().describe('StorageClass of the platform’s volumes; left out: the default'),
    })
    .prefault({})
    .describe('The Kubernetes cluster underneath'),
  admin: z
    .strictObject({
      user: userName.default('admin').describe('Login name'),
      email: email.default('admin@example.com').describe('E-mail address'),
    })
    .prefault({})
    .describe('The first administrator. The password is made, and shown by `delos status --show-passwords`'),
  users: z
    .array(
      z.strictObject({
        name: userName.describe('Login name'),
        email: email.optional().describe('E-mail address; left out: the name at the platform’s domain'),
      }),
    )
    .default([])
    .describe('Further users; a password is made for each'),
  images: z
    .strictObject({
      source: z
        .enum(['auto', 'upstream', 'local'])
        .default('auto')
        .describe('upstream: pull the published images; local: use those built here; auto: local where the engine can'),
      registry: registry
        .optional()
        .describe('Registry, host[:port][/path], that an existing cluster pulls the images from'),
      standIns: z
        .boolean()
        .default(true)
        .describe('Answer a few well-known image names by an honest stand-in where the upstream cannot be reached'),
      allowedRegistries: z
        .array(
          z
            .string()
            .refine(
              (name) => parseRegistry(name) !== undefined,
              'expected HOST[:PORT] of a registry, without https://',
            ),
        )
        .max(100)
        .default([])
        .describe(
          'Registries, host[:port], that jobs may use though they are in the local network or in the cluster. Public ones need no entry. No other port of a host is allowed with it',
        ),
    })
    .prefault({})
    .describe('Where container images come from'),
  gateway: z
    .strictObject({
      httpPort: port
        .default(8080)
        .describe('Port of plain http, on this machine or the load balancer. 0: a free one, kept'),
      httpsPort: port.default(8443).describe('Port of TLS. 0: a free one, kept'),
      http: z
        .enum(['auto', 'on', 'off'])
        .default('auto')
        .describe('Plain http beside TLS. auto: on loopback, where the official client trusts no private CA'),
    })
    .prefault({})
    .describe('The one way in'),
  nodePools: z
    .array(nodePool)
    .min(1)
    .default([nodePool.parse({ name: 'default' })])
    .describe('Sets of like nodes'),
  presets: z
    .array(preset)
    .min(1)
    .default([
      preset.parse({ name: 'cpu-small', cpu: 0.1, memory: '128Mi' }),
      preset.parse({ name: 'cpu-medium', cpu: 0.5, memory: '1Gi' }),
      preset.parse({ name: 'cpu-large', cpu: 1, memory: '4Gi' }),
    ])
    .describe('Sizes that a job may have; the first is the default'),
  organizations: z
    .array(organization)
    .min(1)
    .default([organization.parse({ name: 'default', projects: [{ name: 'default' }] })])
    .describe('Who shares the platform'),
  scheduling: z
    .strictObject({
      minRunSeconds: count.default(0).describe('So long after its start no job is told to give way, in seconds'),
    })
    .prefault({})
    .describe('How jobs are scheduled'),
  jobs: z
    .strictObject({
      queuedPerUser: z
        .number()
        .int()
        .positive()
        .default(1_000)
        .describe('Most jobs of one user that may wait at once, in all projects together. More are refused'),
      queuedPerProject: z
        .number()
        .int()
        .positive()
        .default(5_000)
        .describe('Most jobs of one project that may wait at once. More are refused'),
    })
    .prefault({})
    .describe('Bounds on jobs'),
  logs: z
    .strictObject({
      jobLimit: logLimit
        .prefault('256Mi')
        .describe(
          'Log of one job. What is over it is taken out of the middle, and the log says so. A job asks for another limit by the variable DELOS_LOG_LIMIT',
        ),
      maxJobLimit: logLimit.prefault('1Gi').describe('The most that a job may ask for'),
      projectLimit: logLimit
        .prefault('2Gi')
        .describe('All logs of a project. Those of jobs that ended long ago are removed first'),
      keepDays: z
        .number()
        .int()
        .nonnegative()
        .max(36_500)
        .default(30)
        .describe('Days for which a log is kept after its job has ended. 0: as long as its project has room'),
      minFreeDisk: bytes
        .prefault('2Gi')
        .describe(
          'A node with less free disk than this brings no more logs: they wait on the node, as long as it keeps them',
        ),
    })
    .prefault({})
    .describe('What is kept of the logs of jobs'),
  services: z
    .strictObject({
      controlApi: service.describe('Control API'),
      scheduler: service.describe('Scheduler'),
      agent: service.describe('Cluster agent'),
      gateway: service.describe('Gateway'),
    })
    .prefault({})
    .describe('The platform’s own services'),
});

/** The platform's configuration, defaults filled in. */
export type PlatformConfig = z.infer<typeof configShape>;
export type Preset = PlatformConfig['presets'][number];
export type NodePool = PlatformConfig['nodePools'][number];
export type Scheduling = PlatformConfig['scheduling'];
export type LogSettings = PlatformConfig['logs'];
export type Quota = z.infer<typeof quota>;
export type Member = z.infer<typeof member>;
export type Share = Pick<Member, keyof typeof share>;

/** Of all that is said of an organization, a project or a member, how it stands beside others. */
export const shareOf = ({ weight, guarantee, limit }: Share): Share => ({ weight, guarantee, limit });

/** That of whoever nothing is said of. */
export const PLAIN_SHARE: Share = { weight: 1, guarantee: {}, limit: {} };
