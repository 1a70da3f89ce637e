import type { PlatformConfig } from '@delos/core';
import type { Construct } from 'constructs';
import type { z } from 'zod';
import type { DelosConfig } from '../delos-config.ts';
import type { Exposure } from '../entrance.ts';
import type { SynthesisContext } from '../synthesis-context.ts';
import type { CacheAccess, CacheServer, CacheUser } from './cache.ts';
import type { Database } from './database.ts';
import type { Alert, Metrics, Panel } from './metrics.ts';
import { NODE_NAMESPACE, PLATFORM_NAMESPACE } from './names.ts';
import type { Namespace } from './namespace.ts';
import type { Authorities } from './outward/authorities.ts';
import type { DialsOut } from './outward/way-out.ts';
import type { Resources } from './pod.ts';
import type { Route } from './route.ts';
import type { Bucket, BucketServer } from './storage/bucket.ts';
import type { Workload } from './workload.ts';

/*
 * Terminology: a *service* of the platform is a folder under services/ and a line in services.ts. Its folder exports a
 * *descriptor*: data that others derive from, and a function that *builds* its constructs.
 */

/** The constructs of a service. */
export interface ServiceConstruct {
  /** Its Pods. @default it has none of its own, as what is there already */
  readonly workload?: Workload;
  /** The server of a cache that other services have users of. @default it is none */
  readonly cache?: CacheServer;
  /** The server of buckets that other services have. @default it is none */
  readonly buckets?: BucketServer;
}

/** One service of the platform: everything that the gateway, PostgreSQL, the configuration, `status` and docs know of it. */
export interface ServiceDescriptor<
  Config = unknown,
  Built extends ServiceConstruct = ServiceConstruct,
  External = unknown,
> {
  /** Name of its workload and Service; its key under `services` in delos.yaml is the same in camel case. */
  readonly name: string;
  /** What it is for, in one sentence without a full stop. */
  readonly idea: string;
  /** Name of its image in the catalogue; of a service of your own, its reference. */
  readonly image: string;
  /** Names of further images in the catalogue that are there where it is: jobs run them for it. @default none */
  readonly brings?: readonly string[];
  /**
   * Keys of its own in its section of delos.yaml, beside those that every service has; a service of your own has no section.
   * An empty one must be valid.
   */
  readonly config: z.ZodType<Config>;
  /**
   * User and group that it runs as: within core's `PART_USERS`, and nobody else's. A user that two parts share lets each
   * read the other's secrets.
   */
  readonly user: number;
  /** Processor and memory of each Pod, in the smallest platform. delos.yaml and its profile override them. */
  readonly resources: Resources;
  /** Services that it does not work without, beside that of its database. @default none */
  readonly needs?: readonly BuiltBy<ServiceConstruct>[];
  /** Why it goes with the node that it runs on: the profile `ha` refuses it then. @default it does not */
  readonly diesWithNode?: string;
  /** A setting of its own by which it does not go with a node. @default there is none */
  readonly outlivesNode?: OutlivesNode<Config>;
  /**
   * In a cluster that has joined a platform elsewhere (`join` in delos.yaml): it runs there too, or this stands in its place.
   * @default it is not there
   */
  readonly joined?: true | ((scope: Construct, at: Site<unknown>) => Construct & ServiceConstruct);
  /** Its form that is there already. @default it has none */
  readonly external?: ExternalForm<External, Built>;
  /** Its Pods read the node's disk, so that they run in a namespace with Pod Security `privileged`. @default false */
  readonly onNodes?: boolean;
  /** Name of its database. @default it has none */
  readonly database?: string;
  /** What it does in the platform's cache. @default it uses none */
  readonly cache?: CacheAccess;
  /** Name of its bucket in the platform's object storage. @default it has none */
  readonly bucket?: string;
  /** It works without its bucket too: an object storage of one's own need not list it. @default false */
  readonly bucketOptional?: boolean;
  /** Paths of the platform's origin that lead to it. @default none */
  readonly routes?: readonly Route[];
  /** People log in to it by a browser. @default nobody does, or by a token of the platform alone */
  readonly login?: Login;
  /** Where its Pods answer for their metrics. Prometheus alone may ask them. @default it has none */
  readonly metrics?: Metrics;
  /** What can go wrong with it, and is told. Each alert has a page in docs/runbooks. @default nothing */
  readonly alerts?: readonly Alert[];
  /** What its dashboard shows. @default it has none */
  readonly panels?: readonly Panel[];
  /**
   * It dials out of the cluster: by the proxy of `network`, and trusting the authorities named there. @default it does not, or
   * the network's rules are none of its concern
   */
  readonly dialsOut?: DialsOut;
  /** It is part of the platform only where its section says `enabled: true`. @default false */
  readonly optional?: boolean;
  /** Whether the configuration asks for it, beside `enabled` in its section. @default it always does */
  readonly wanted?: (config: DelosConfig) => boolean;
  /**
   * The first job does not wait for it: as long as its image is not there, the platform is without it, and `delos up`
   * makes the image after that job. @default false
   */
  readonly late?: boolean;
  /**
   * With `late`: others are led to it from the start, so that none of them is changed when its image comes. Until then it has no
   * Pods. @default the platform is without it
   */
  readonly keepsPlace?: boolean;
  /**
   * Ports of a late service that has routes: the gateway leads there before it has come, so that it does not start anew then.
   * @default it has no routes
   */
  readonly ports?: Readonly<Record<string, number>>;
  /** What is otherwise where it runs as several members, each with a copy of all. @default it has no such form */
  readonly members?: Members<Config>;
  /** How `delos backup` saves what it keeps. @default it keeps nothing that a backup must hold */
  readonly backup?: Backup;
  /** Makes its constructs. */
  build(scope: Construct, at: Site<Config>): Built;
}

/** The setting by which a service goes on when a node is lost. */
export interface OutlivesNode<Config> {
  /** The setting, as a person writes it into the service's section. */
  readonly setting: string;
  /** Whether its section has it. */
  holds(own: Config): boolean;
}

/** A service that goes on when a node is lost, since each of several members has a copy of all. */
export interface Members<Config> {
  /** How many its section asks for. With one it is no such service. */
  count(own: Config): number;
  /** Name of their image in the catalogue. */
  readonly image: string;
  /** Where they answer for their metrics, in place of {@link ServiceDescriptor.metrics}. */
  readonly metrics: Metrics;
  /** Alerts beside those of the service. */
  readonly alerts: readonly Alert[];
}

/** How people log in to a service by a browser: it is a client of the realm, public, with code and PKCE (RFC 7636). */
export interface Login {
  /** What the realm calls it, where people see it. */
  readonly title: string;
  /** Paths of the platform's origin that the realm may send a code to. */
  readonly paths: readonly string[];
}

/** A login, and which service it is to: the client's id. */
export interface ServiceLogin extends Login {
  /** Its name, which is the client's as well. */
  readonly service: string;
}

/** How what a service keeps on its volume is saved while it runs, and is there again before it starts. */
export interface Backup {
  /** Command in its first Pod. Writes to stdout one tar of `folder` as it was at one instant. */
  readonly save: readonly string[];
  /** Name of the volume's claim in its workload. */
  readonly claim: string;
  /** Folder of the volume that the tar is of; `.` is the volume itself. */
  readonly folder: string;
}

/** A service that a site has already: what delos.yaml says of it under `external`, and what others see of it. */
export interface ExternalForm<External, Built extends ServiceConstruct> {
  /** Its section `external` of delos.yaml. */
  readonly config: z.ZodType<External>;
  /** Names of databases, users or buckets that it must list for those who ask for them; the key that has the list. @default none */
  readonly lists?: { readonly key: string; readonly of: 'database' | 'cache' | 'bucket' };
  /** Makes what others ask for. */
  build(scope: Construct, at: Site<unknown>, external: External): Built;
}

/** Name of the namespace that a service runs in. */
export const namespaceOf = ({ onNodes }: Pick<ServiceDescriptor, 'onNodes'>): string =>
  onNodes === true ? NODE_NAMESPACE : PLATFORM_NAMESPACE;

/** Where a service is built: the platform around it. */
export interface Site<Config> {
  /** Its own section of delos.yaml. */
  readonly own: Config;
  /** The whole of delos.yaml, defaults filled in. */
  readonly config: PlatformConfig;
  /** The cluster, as far as manifests depend on it. */
  readonly context: SynthesisContext;
  /** The namespace that the service runs in. */
  readonly namespace: Namespace;
  /** Reference of its image. */
  readonly image: string;
  /** Processor and memory of each of its Pods. */
  readonly resources: Resources;
  /** Where users reach the platform, no trailing slash, e.g. `http://127.0.0.1:8080`. */
  readonly publicUrl: string;
  /** How the gateway is reached from outside. */
  readonly exposure: Exposure;
  /** Whether its Pods have user namespaces of their own. */
  readonly userNamespaces: boolean;
  /** All services of the platform, also those that are still to come. */
  readonly services: readonly ServiceDescriptor[];
  /** Those that people log in to by a browser. */
  readonly logins: readonly ServiceLogin[];
  /** Its own database. @throws DelosError ERR_INTERNAL for a service that has none */
  readonly database: Database;
  /**
   * Its own user of the platform's cache. Undefined where no earlier line of the list is a cache, and for a service that
   * uses none.
   */
  readonly cache: CacheUser | undefined;
  /**
   * Its own bucket. Undefined where no earlier line of the list is an object storage, for a service that names none, and
   * where one's own storage does not list one that is optional.
   */
  readonly bucket: Bucket | undefined;
  /** The volume that every node sees; undefined where there is none. */
  readonly fileStorage: (Construct & { readonly claimName: string }) | undefined;
  /** Its image is still to come: it is made without Pods. */
  readonly awaited: boolean;
  /** Whom Pods trust; undefined where the lists of their images are enough. */
  readonly authorities: Authorities | undefined;
  /** What an earlier line of the list has built. @throws DelosError ERR_INTERNAL for a later one */
  get<Built extends ServiceConstruct>(service: BuiltBy<Built>): Built;
  /** What an earlier line of the list has built; undefined where the platform is without it, or still is. */
  find<Built extends ServiceConstruct>(service: BuiltBy<Built>): Built | undefined;
}

/** A descriptor, by what it builds alone. */
export interface BuiltBy<Built extends ServiceConstruct> {
  /** Its name. */
  readonly name: string;
  /** Makes its constructs. */
  build(scope: Construct, at: never): Built;
}
