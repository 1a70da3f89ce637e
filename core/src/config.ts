import { z } from 'zod';

/*
 * delos.yaml. Terminology: an *organization* has *projects*, a project has members and a quota. A *node pool* is a set
 * of like nodes, told apart by the label `delos.dev/pool`. A *preset* names the resources one job gets and the pools it
 * may run on. Memory and storage are Kubernetes quantities in the file (`512Mi`, `2G`), bytes after parsing.
 */

const DNS_LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
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

/** A Kubernetes quantity of bytes; a number is bytes. */
export const bytes = z.union([z.number().int().nonnegative(), z.string()]).transform((value, context) => {
  if (typeof value === 'number') return value;
  const match = /^(\d+(?:\.\d+)?)(Ki|Mi|Gi|Ti|k|M|G|T)?$/.exec(value);
  if (match === null) {
    context.addIssue({ code: 'custom', message: 'expected a quantity such as 512Mi or 2G' });
    return z.NEVER;
  }
  return Math.round(Number(match[1]) * (SUFFIX[match[2] ?? ''] ?? 1));
});

const gpu = z.strictObject({
  /** Whole devices. */
  count: z.number().int().positive(),
  model: z.string().optional(),
  memory: bytes.optional(),
});

export const securityProfile = z.enum(['baseline', 'restricted', 'privileged']);
export type SecurityProfile = z.infer<typeof securityProfile>;

const nodePool = z.strictObject({
  name: dnsLabel,
  minSize: z.number().int().nonnegative().default(1),
  maxSize: z.number().int().positive().default(1),
  /** Per node. Left out: what the node reports. */
  cpu: z.number().positive().optional(),
  memory: bytes.optional(),
  disk: bytes.optional(),
  nvidiaGpu: gpu.optional(),
  amdGpu: gpu.optional(),
  intelGpu: gpu.optional(),
  /** Extended resources patched onto the embedded node for development; no device is behind them. */
  fakeGpus: z.boolean().default(false),
  labels: z.record(z.string(), z.string()).default({}),
  preemptible: z.boolean().default(false),
});

const preset = z.strictObject({
  name: dnsLabel,
  /** Cores. */
  cpu: z.number().positive(),
  memory: bytes,
  nvidiaGpu: gpu.optional(),
  amdGpu: gpu.optional(),
  intelGpu: gpu.optional(),
  creditsPerHour: z
    .string()
    .regex(/^\d+(\.\d+)?$/, 'expected a decimal number in quotes')
    .default('0'),
  /** Pools that may hold it; empty: any. */
  pools: z.array(dnsLabel).default([]),
  preemptible: z.boolean().default(false),
  /** Pod Security level of its jobs; `privileged` also needs the project's right. */
  security: securityProfile.default('baseline'),
});

const quota = z.strictObject({
  /** Jobs that run at once. Left out: no limit. */
  runningJobs: z.number().int().nonnegative().optional(),
  cpu: z.number().nonnegative().optional(),
  memory: bytes.optional(),
  gpu: z.number().int().nonnegative().optional(),
});

const project = z.strictObject({
  name: dnsLabel,
  quota: quota.prefault({}),
  /** May its jobs be privileged? */
  privileged: z.boolean().default(false),
  members: z
    .array(
      z.strictObject({ user: z.string(), role: z.enum(['admin', 'manager', 'writer', 'reader']).default('writer') }),
    )
    .default([]),
});

const organization = z.strictObject({
  name: dnsLabel,
  quota: quota.prefault({}),
  projects: z.array(project).min(1),
});

const service = (replicas: number) =>
  z.strictObject({ replicas: z.number().int().nonnegative().default(replicas) }).prefault({});

export const platformConfig = z.strictObject({
  /** Public DNS name of the platform; the default is served on loopback only. */
  domain: z.string().min(1).default('localhost'),
  /** How the Kubernetes cluster comes to be. `auto`: the one KUBECONFIG names, else embedded. */
  cluster: z
    .strictObject({
      engine: z.enum(['auto', 'existing', 'kind', 'embedded']).default('auto'),
      name: dnsLabel.default('default'),
      context: z.string().optional(),
      storageClass: z.string().optional(),
    })
    .prefault({}),
  admin: z
    .strictObject({
      user: z
        .string()
        .regex(/^[a-z][a-z0-9-]*$/)
        .default('admin'),
      email: z.email().default('admin@example.com'),
    })
    .prefault({}),
  /** Further users; a password is made for each and shown by `delos status --show-passwords` alone. */
  users: z
    .array(z.strictObject({ name: z.string().regex(/^[a-z][a-z0-9-]*$/), email: z.email().optional() }))
    .default([]),
  images: z
    .strictObject({
      /** `upstream`: pull the published images; `local`: use those built here; `auto`: local where the engine has them. */
      source: z.enum(['auto', 'upstream', 'local']).default('auto'),
      /** Registry (host[:port][/path]) that an existing cluster pulls the images from. */
      registry: z.string().optional(),
      /** Answer a few well-known names by an honest stand-in where the upstream cannot be reached. */
      standIns: z.boolean().default(true),
    })
    .prefault({}),
  gateway: z
    .strictObject({
      /** Ports on the host (embedded, kind) or of the LoadBalancer Service. 0: take a free one and keep it. */
      httpPort: z.number().int().min(0).max(65535).default(8080),
      httpsPort: z.number().int().min(0).max(65535).default(8443),
      /** Plain http beside TLS. The official client trusts public roots only. `auto`: on loopback. */
      http: z.enum(['auto', 'on', 'off']).default('auto'),
    })
    .prefault({}),
  nodePools: z
    .array(nodePool)
    .min(1)
    .default([nodePool.parse({ name: 'default' })]),
  presets: z
    .array(preset)
    .min(1)
    .default([
      preset.parse({ name: 'cpu-small', cpu: 0.1, memory: '128Mi' }),
      preset.parse({ name: 'cpu-medium', cpu: 0.5, memory: '1Gi' }),
      preset.parse({ name: 'cpu-large', cpu: 1, memory: '4Gi' }),
    ]),
  organizations: z
    .array(organization)
    .min(1)
    .default([organization.parse({ name: 'default', projects: [{ name: 'default' }] })]),
  services: z
    .strictObject({ controlApi: service(1), scheduler: service(1), agent: service(1), gateway: service(1) })
    .prefault({}),
});

/** The platform's configuration, defaults filled in. */
export type PlatformConfig = z.infer<typeof platformConfig>;
export type Preset = PlatformConfig['presets'][number];
export type NodePool = PlatformConfig['nodePools'][number];
export type Quota = z.infer<typeof quota>;
