import { z } from 'zod';

/*
 * delos.yaml. Terminology: an *organization* has *projects*, a project has members and a quota. A *node pool* is a set
 * of like nodes, told apart by the label `delos.dev/pool`. A *preset* names the resources one job gets and the pools it
 * may run on. Memory and storage are Kubernetes quantities in the file (`512Mi`, `2G`), bytes after parsing.
 *
 * What `describe` says is what people read: the file that `delos init` writes, docs/guides/configuration.md and the
 * JSON Schema for editors are made from it.
 */

const DNS_LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const HOST = /^([a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)(\.[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$/;
const REGISTRY = /^[a-zA-Z0-9.-]+(:\d{1,5})?(\/[a-z0-9._-]+)*$/;
const SUFFIX: Readonly<Record<string, number>> = {
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
};

export const dnsLabel = z.string().regex(DNS_LABEL, 'expected lower-case letters, digits and hyphens (RFC 1123 label)');
const userName = z
  .string()
  .regex(/^[a-z][a-z0-9-]*$/, 'expected lower-case letters, digits and hyphens, a letter first');

/** A Kubernetes quantity of bytes; a number is bytes. */
export const bytes = z
  .union([z.number().int().nonnegative(), z.string()])
  .transform((value, context) => {
    if (typeof value === 'number') return value;
    const match = /^(\d+(?:\.\d+)?)(Ki|Mi|Gi|Ti|k|M|G|T)?$/.exec(value);
    if (match === null) {
      context.addIssue({ code: 'custom', message: `expected a quantity such as 512Mi or 2G, found "${value}"` });
      return z.NEVER;
    }
    return Math.round(Number(match[1]) * (SUFFIX[match[2] ?? ''] ?? 1));
  })
  // Kept through `describe`; how a value is written is read from it.
  .meta({ format: 'quantity' });

/** Bytes as a person writes them: the largest binary suffix that divides them. */
export function quantityOf(size: number): string | number {
  const suffix = ['Ti', 'Gi', 'Mi', 'Ki'].find(
    (name) => size >= (SUFFIX[name] ?? 1) && size % (SUFFIX[name] ?? 1) === 0,
  );
  return suffix === undefined ? size : `${size / (SUFFIX[suffix] ?? 1)}${suffix}`;
}

const gpu = z.strictObject({
  count: z.number().int().positive().describe('Whole devices'),
  model: z.string().optional().describe('Model, as users see it'),
  memory: bytes.optional().describe('Memory of one device'),
});

export const securityProfile = z.enum(['baseline', 'restricted', 'privileged']);
export type SecurityProfile = z.infer<typeof securityProfile>;

const nodePool = z.strictObject({
  name: dnsLabel.describe('Value of the nodes’ label delos.dev/pool'),
  minSize: z.number().int().nonnegative().default(1).describe('Fewest nodes'),
  maxSize: z.number().int().positive().default(1).describe('Most nodes'),
  cpu: z.number().positive().optional().describe('Cores of one node; left out: what the node reports'),
  memory: bytes.optional().describe('Memory of one node; left out: what the node reports'),
  disk: bytes.optional().describe('Disk of one node'),
  nvidiaGpu: gpu.optional().describe('NVIDIA GPUs of one node (nvidia.com/gpu)'),
  amdGpu: gpu.optional().describe('AMD GPUs of one node (amd.com/gpu)'),
  intelGpu: gpu.optional().describe('Intel GPUs of one node (gpu.intel.com/i915)'),
  fakeGpus: z
    .boolean()
    .default(false)
    .describe('For development: the GPUs above are announced on the embedded node though no device is behind them'),
  labels: z.record(z.string(), z.string()).default({}).describe('Further labels of its nodes'),
  preemptible: z.boolean().default(false).describe('Its nodes may be taken away at any time'),
});

const preset = z.strictObject({
  name: dnsLabel.describe('What users name: apolo run --preset NAME'),
  cpu: z.number().positive().describe('Cores'),
  memory: bytes.describe('Memory; the job is ended when it takes more'),
  nvidiaGpu: gpu.optional().describe('NVIDIA GPUs'),
  amdGpu: gpu.optional().describe('AMD GPUs'),
  intelGpu: gpu.optional().describe('Intel GPUs'),
  creditsPerHour: z
    .string()
    .regex(/^\d+(\.\d+)?$/, 'expected a decimal number in quotes')
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
    runningJobs: z.number().int().nonnegative().optional().describe(`Jobs that run at once; left out: ${leftOut}`),
    cpu: z.number().nonnegative().optional().describe('Cores at once'),
    memory: bytes.optional().describe('Memory at once'),
    gpu: z.number().int().nonnegative().optional().describe('GPUs at once, of any make'),
  });
const quota = amounts('no limit');

/** How an organization, a project or a user in it stands beside others of its level. */
const share = {
  weight: z
    .number()
    .positive()
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

const replicas = z.number().int().nonnegative().default(1).describe('How many run');
const service = z.strictObject({ replicas }).prefault({});

const port = (fallback: number) => z.number().int().min(0).max(65535).default(fallback);

export const configShape = z.strictObject({
  domain: z
    .string()
    .regex(HOST, 'expected a host name such as ai.example.com, without https:// and port')
    .default('localhost')
    .describe('Public DNS name of the platform. localhost: reached from this machine alone'),
  cluster: z
    .strictObject({
      engine: z
        .enum(['auto', 'existing', 'kind', 'embedded'])
        .default('auto')
        .describe('How the cluster comes to be. auto: the one that KUBECONFIG names, else embedded on this machine'),
      name: dnsLabel.default('default').describe('Its name in the platform'),
      context: z.string().optional().describe('Kubeconfig context of an existing cluster'),
      storageClass: z.string().optional().describe('StorageClass of the platform’s volumes; left out: the default'),
    })
    .prefault({})
    .describe('The Kubernetes cluster underneath'),
  admin: z
    .strictObject({
      user: userName.default('admin').describe('Login name'),
      email: z.email().default('admin@example.com').describe('E-mail address'),
    })
    .prefault({})
    .describe('The first administrator. The password is made, and shown by `delos status --show-passwords`'),
  users: z
    .array(
      z.strictObject({
        name: userName.describe('Login name'),
        email: z.email().optional().describe('E-mail address'),
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
      registry: z
        .string()
        .regex(REGISTRY, 'expected host[:port][/path] of a registry, without https://')
        .optional()
        .describe('Registry, host[:port][/path], that an existing cluster pulls the images from'),
      standIns: z
        .boolean()
        .default(true)
        .describe('Answer a few well-known image names by an honest stand-in where the upstream cannot be reached'),
    })
    .prefault({})
    .describe('Where container images come from'),
  gateway: z
    .strictObject({
      httpPort: port(8080).describe('Port of plain http, on this machine or the load balancer. 0: a free one, kept'),
      httpsPort: port(8443).describe('Port of TLS. 0: a free one, kept'),
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
      minRunSeconds: z
        .number()
        .int()
        .nonnegative()
        .default(0)
        .describe('So long after its start no job is told to give way, in seconds'),
    })
    .prefault({})
    .describe('How jobs are scheduled'),
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
export type Quota = z.infer<typeof quota>;
export type Member = z.infer<typeof member>;
export type Share = Pick<Member, keyof typeof share>;

/** Of all that is said of an organization, a project or a member, how it stands beside others. */
export const shareOf = ({ weight, guarantee, limit }: Share): Share => ({ weight, guarantee, limit });

/** That of whoever nothing is said of. */
export const PLAIN_SHARE: Share = { weight: 1, guarantee: {}, limit: {} };
