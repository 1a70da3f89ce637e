import { z } from 'zod';
import {
  bytes,
  count,
  dnsLabel,
  dnsSubdomain,
  domain,
  email,
  keepDays,
  logLimit,
  plainText,
  port,
  registry,
  userName,
} from '../config-fields.ts';
import { parseRegistry } from '../image-registry.ts';
import { HOST_PORTS } from '../words/ports.ts';
import { acme } from './acme.ts';
import { buckets } from './buckets.ts';
import { bundle } from './bundle/index.ts';
import { credits } from './credits/index.ts';
import { disks } from './disks.ts';
import { dns } from './dns.ts';
import { givenCertificate } from './given-certificate.ts';
import { identity } from './identity/index.ts';
import { imageMirror } from './image-mirrors.ts';
import { join } from './join.ts';
import { logSinks } from './log-sinks.ts';
import { network } from './network.ts';
import { notifications } from './notifications.ts';
import { adopt, organization } from './organizations.ts';
import { nodePool, preset } from './resources.ts';
import { fileStorage } from './storage/file-storage.ts';
import { storageClasses } from './storage/storage-classes.ts';

/*
 * delos.yaml, but for the sections of the platform's services: `configWith` adds those. Terminology: an *organization* has *projects*, a project has members and a quota. A *node pool* is a set
 * of like nodes, told apart by the label `delos.dev/pool`. A *preset* names the resources one job gets and the pools it
 * may run on. Memory and storage are Kubernetes quantities in the file (`512Mi`, `2G`), bytes after parsing; cores are
 * numbers or quantities (`500m`), numbers after parsing.
 *
 * What `describe` says is what people read: the file that `delos init` writes, docs/guides/configuration.md and the
 * JSON Schema for editors are made from it.
 */

/** Bounds in time and at once, so that a slip of the finger is no open door and no closed one. */
const rate = (perSecond: number, burst: number) =>
  z
    .strictObject({
      perSecond: z.number().int().positive().max(100_000).default(perSecond).describe('On average'),
      burst: z.number().int().positive().max(1_000_000).default(burst).describe('At once, after a quiet time'),
    })
    .prefault({});

/** Sizes of a platform. What each sets is in constructs. */
export const PROFILE_NAMES = ['small', 'medium', 'ha'] as const;
export type ProfileName = (typeof PROFILE_NAMES)[number];

export const configShape = z.strictObject({
  domain: domain
    .default('localhost')
    .describe('Public DNS name of the platform. localhost: reached from this machine alone'),
  profile: z
    .enum(PROFILE_NAMES)
    .default('small')
    .describe(
      'How large the platform is: small for one machine, medium for a team, ha for several nodes of which any may be lost. It fills in keys that this file leaves out',
    ),
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
      embedded: z
        .strictObject({
          nodes: z
            .array(dnsLabel)
            .min(1)
            .max(16)
            .optional()
            .describe(
              'The pool of each embedded node, by name; the first node holds the control plane. Left out: as many nodes as there are, at first one of the first pool',
            ),
        })
        .prefault({})
        .describe('Of the cluster that is embedded on this machine'),
    })
    .prefault({})
    .describe('The Kubernetes cluster underneath'),
  join: join
    .prefault({})
    .describe(
      'Where given, this cluster runs the jobs of a platform elsewhere: it has an agent and collectors, and no platform of its own',
    ),
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
        provider: dnsLabel
          .optional()
          .describe('Name of the provider of `identity` that this user comes from; left out: the platform itself'),
      }),
    )
    .default([])
    .describe('Further users; a password is made for each that no provider has'),
  identity: identity.prefault({}).describe('Who else says who somebody is: directories and other identity providers'),
  images: z
    .strictObject({
      source: z
        .enum(['auto', 'upstream', 'local', 'site'])
        .default('auto')
        .describe('upstream: pull published images; local: build; auto: local where the engine can; site: of a bundle'),
      registry: registry
        .optional()
        .describe('Registry, host[:port][/path], of an existing cluster’s images; of any where `source` is site'),
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
      mirrors: z
        .array(imageMirror)
        .max(100)
        .default([])
        .describe(
          'Where the nodes ask for the images of a registry before they ask the registry itself, one after the other. For clusters that Delos makes',
        ),
    })
    .prefault({})
    .describe('Where container images come from'),
  gateway: z
    .strictObject({
      httpPort: port
        .default(HOST_PORTS.http)
        .describe('Port of plain http, on this machine or the load balancer. 0: a free one, kept'),
      httpsPort: port.default(HOST_PORTS.https).describe('Port of TLS. 0: a free one, kept'),
      http: z
        .enum(['auto', 'on', 'off'])
        .default('auto')
        .describe('Plain http beside TLS. auto: on loopback, where the official client trusts no private CA'),
      tls: z
        .strictObject({
          given: givenCertificate.optional().describe('One that is there already'),
          acme: acme.optional().describe('One by ACME, confirmed by records that are written to `dns.update`'),
        })
        .optional()
        .describe('The certificate; left out: one of the platform’s own authority, for all names'),
    })
    .prefault({})
    .describe('The one way in'),
  dns: dns.prefault({}).describe('How the platform’s names come to lead to it, where it has a domain'),
  network: network.prefault({}).describe('The way out of the cluster: a proxy, and further certificate authorities'),
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
  adopt,
  scheduling: z
    .strictObject({
      minRunSeconds: count.default(0).describe('So long after its start no job is preempted, in seconds'),
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
  credits,
  disks: disks.prefault({}).describe('Disks, which jobs mount'),
  buckets: buckets.prefault({}).describe('Buckets of projects'),
  storageClasses: storageClasses
    .prefault({})
    .describe(
      'StorageClasses to make, whose engines the cluster has. `cluster.storageClass`, `disks.storageClass` and `storage.claim` say what uses them',
    ),
  storage: fileStorage
    .prefault({})
    .describe(
      'File storage: one volume that every node sees. Where no way is chosen, it is a folder of this machine on the embedded cluster, in small and medium, and elsewhere there is none',
    ),
  requests: z
    .strictObject({
      ofUser: rate(100, 1_000).describe('Requests of one user, whatever they use'),
      ofSource: rate(300, 3_000).describe('Requests from one address, whoever asks. Of IPv6, from one /64'),
    })
    .prefault({})
    .describe('How often the API may be asked. More is answered by 429, until there is room again'),
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
      totalLimit: logLimit
        .prefault('6Gi')
        .describe(
          'All logs of all projects: less than the volume that they lie on, of the object storage where there is one, else of PostgreSQL. Where they are over it, the projects that hold the most give way',
        ),
      bufferLimit: logLimit
        .prefault('1Gi')
        .describe(
          'With an object storage: logs in PostgreSQL that are not there yet. Over it PostgreSQL takes no more, and logs wait on their nodes, as long as these keep them',
        ),
      keepDays: keepDays
        .default(30)
        .describe('Days for which a log is kept after its job has ended. 0: as long as its project has room'),
      sinks: logSinks,
      minFreeDisk: bytes
        .prefault('2Gi')
        .describe(
          'A node with less free disk than this brings no more logs: they wait on the node, as long as it keeps them',
        ),
    })
    .prefault({})
    .describe('What is kept of the logs of jobs'),
  monitoring: z
    .strictObject({
      enabled: z
        .boolean()
        .default(true)
        .describe('Prometheus, Alertmanager and node exporter run, and alerts are told to those of `notifications`'),
    })
    .prefault({})
    .describe('Metrics and alerts'),
  notifications: notifications.prefault({}).describe('Whom the platform tells that something is wrong'),
  bundle: bundle.prefault({}).describe('What `delos bundle create` takes along, for sites without a network'),
});

/** The platform's configuration without the sections of its services, defaults filled in. */
export type PlatformConfig = z.infer<typeof configShape>;
export type Preset = PlatformConfig['presets'][number];
export type NodePool = PlatformConfig['nodePools'][number];
export type Scheduling = PlatformConfig['scheduling'];
export type DiskSettings = PlatformConfig['disks'];
export type BucketLimits = PlatformConfig['buckets'];
export type LogSettings = PlatformConfig['logs'];
