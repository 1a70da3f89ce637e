import type { DiskSettings, LogSettings, OrgRole, ProjectRole, StreamRequest } from '@delos/core';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type WebSocket from 'ws';
import type { AuditKeys } from '../db/audit/checkpoints.ts';
import type { Database } from '../db/database.ts';
import type { Grant } from '../db/tenancy/held.ts';
import type { ImageSource } from '../image-source.ts';
import type { LiveSecret } from '../live-secret.ts';
import type { LogStore } from '../logs/log-store.ts';
import type { Cache } from './cache/cache.ts';
import type { RequestLimits } from './limits/request-limits.ts';
import type { RequestBudget } from './request-budget.ts';
import type { BucketSettings } from './resources/buckets/settings.ts';
import type { Builder } from './resources/jobs/builds/builder.ts';
import type { QueueLimits } from './resources/jobs/queue-limits.ts';
import type { RegistrySettings } from './resources/registry/settings.ts';
import type { ServiceAddress } from './service-address.ts';

/** Who asks: the token's identity and what the platform lets it do. */
export interface Caller {
  /** Of the person, for good; a name may be another person's later. */
  readonly id: number;
  readonly user: string;
  /** The platform's administrator: everything everywhere. */
  readonly admin: boolean;
  /** `org/project` → role. An organization's administrator has that of an admin in each of its projects. */
  readonly roles: ReadonlyMap<string, ProjectRole>;
  /** Rights to single things, beside those by roles. @default none */
  readonly grants?: readonly Grant[];
  /** `org/project` that is shown to a service account which may have no role there. @default none */
  readonly shown?: readonly string[];
  /** Organization → role in the organization itself. @default none */
  readonly orgs?: ReadonlyMap<string, OrgRole>;
}

export interface OidcSettings {
  readonly issuer: string;
  readonly clientId: string;
}

export interface ApiSettings {
  readonly cluster: string;
  /** Without a trailing slash. */
  readonly publicUrl: string;
  /** Most jobs that may wait. */
  readonly queue: QueueLimits;
  /** The secret that agents show. */
  readonly agentToken: string | LiveSecret;
  /** The secret that collectors show: it opens nothing of the agents', nor theirs anything of these. */
  readonly collectorToken: string | LiveSecret;
  /** Where agents and other replicas reach this one's internal listener. No trailing slash. @default there is but one replica */
  readonly internalAddress?: string;
  /** delos.yaml's. */
  readonly logs: LogSettings;
  /** delos.yaml's. */
  readonly disks: DiskSettings;
  /** Buckets of projects, in the platform's own object storage. @default it has none */
  readonly buckets?: BucketSettings;
  /** The key by which secrets of projects are encrypted. @default there are no secrets */
  readonly secretsKey?: LiveSecret;
  /** What signs checkpoints of the audit records. @default nothing does */
  readonly auditKeys?: AuditKeys;
  /** The platform's registry of images. @default it has none */
  readonly registry?: RegistrySettings;
  /** What carries out builds of images; it may come after the platform has started. @default nothing does */
  readonly builder?: () => Builder | undefined;
  /** Where the program that has the files is reached from here. No trailing slash. @default the platform has no file storage */
  readonly filesUrl?: string;
  /** Whether the agent can give jobs a part of it. @default it cannot */
  readonly jobsMountFiles?: boolean;
  /** Where VictoriaLogs is reached from here, without a trailing slash. @default logs cannot be searched */
  readonly logSearchUrl?: string;
  /** Projects whose lines can be searched for fewer days than others. @default none */
  readonly logDays?: readonly { readonly org: string; readonly project: string; readonly days: number }[];
  /** Jobs have addresses one label below it. @default they have none */
  readonly jobsDomain?: string;
  /** Where people log in. */
  readonly oidc: OidcSettings;
  /** Our own realm at Keycloak, as it is reached from here: passwords then pass through us, and are counted. */
  readonly realmUrl?: string;
}

/** The way into jobs' containers. */
export interface Agents {
  /** @throws DelosError as the agent refuses it */
  openStream(cluster: string, request: Omit<StreamRequest, 'id' | 'callback'>): Promise<WebSocket>;
}

/** What the parts of the control API share. */
export interface ApiDeps {
  readonly settings: ApiSettings;
  readonly database: Database;
  /** What requests may hold of the memory at once. */
  readonly budget: RequestBudget;
  /** How often it may be asked. */
  readonly requests: RequestLimits;
  /** What replicas share and may lose. */
  readonly cache: Cache;
  readonly log: Logger;
  readonly metrics: Registry;
  /** Why an image must not be pulled, judged by its registry. */
  readonly imageSource: ImageSource;
  /** Where the logs of jobs are kept. */
  readonly logs: LogStore;
  /** Aborted when the service ends. */
  readonly signal: AbortSignal;
  /** @throws DelosError ERR_UNAUTHENTICATED; `authorization` is the header's value. */
  readonly authenticate: (authorization: string | undefined) => Promise<Caller>;
  /**
   * As `authenticate`, and takes tokens of services that people log in to by a browser as well: they open nothing else.
   */
  readonly authenticateLogin: (authorization: string | undefined) => Promise<Caller>;
  /** A user, by the id that does not change. @throws DelosError ERR_UNAUTHENTICATED for one that was removed */
  readonly callerById: (id: number) => Promise<Caller>;
  /** The way to the agents, once this process has it. */
  readonly agents?: () => Agents | undefined;
  /** Where all is that the API has. */
  readonly resources: Readonly<Record<string, ServiceAddress>>;
}
