import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { Database } from '../db/database.ts';
import type { JobRow, ProjectRole } from '../db/schema.ts';

/** Who asks: the token's identity and what the platform lets it do. */
export interface Caller {
  readonly user: string;
  /** The platform's administrator: everything everywhere. */
  readonly admin: boolean;
  /** `org/project` → role. */
  readonly roles: ReadonlyMap<string, ProjectRole>;
}

export interface ApiSettings {
  readonly cluster: string;
  /** Without a trailing slash. */
  readonly publicUrl: string;
  /** The secret that agents show. */
  readonly agentToken: string;
  /** The secret that collectors show: it opens nothing of the agents', nor theirs anything of these. */
  readonly collectorToken: string;
}

/** What the parts of the control API share. */
export interface ApiDeps {
  readonly settings: ApiSettings;
  readonly database: Database;
  readonly log: Logger;
  readonly metrics: Registry;
  /** Aborted when the service ends. */
  readonly signal: AbortSignal;
  /** @throws DelosError ERR_UNAUTHENTICATED; `authorization` is the header's value. */
  readonly authenticate: (authorization: string | undefined) => Promise<Caller>;
  /**
   * A job by id, or by name within the caller's projects (the newest of that name).
   * @throws DelosError ERR_NOT_FOUND where there is none that the caller may read, ERR_FORBIDDEN where it may only read.
   */
  readonly jobFor: (caller: Caller, idOrName: string, right: 'read' | 'write') => Promise<JobRow>;
}

/** Adds routes to a listener; what it returns is called once at the end. */
export type ApiPart = (app: FastifyInstance, deps: ApiDeps) => Promise<(() => Promise<void>) | undefined>;
