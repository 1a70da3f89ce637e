import type { Right } from '@delos/core';
import type { FastifyInstance } from 'fastify';
import type { Schema, Tx } from '../db/schema.ts';
import type { Rules } from './authorization/rules.ts';
import type { ApiDeps, ApiSettings, Caller } from './deps.ts';
import type { ProjectOf } from './rights.ts';
import type { ServiceAddress } from './service-address.ts';
import type { Stream } from './stream.ts';

/*
 * One resource of the API is one folder under resources/ and one line in resources.ts. Its descriptor is data. The
 * listener, for requests and for streams, the URLs of /config, the services that answer "not part of this release", the
 * audit lines and the table in docs/architecture.md follow from the list, and name no resource.
 */

export interface Resource extends ServiceAddress {
  /** Tables that it owns; no other resource has them. */
  readonly tables: readonly (keyof Schema)[];
  /** Whether a platform of these settings has it. @default each has */
  readonly wanted?: (settings: ApiSettings) => boolean;
  /** Adds the routes. Their URLs begin after the prefix: `` or `/:id`. Each has a line in authorization/rules.ts. */
  readonly routes: (app: FastifyInstance, deps: ApiDeps) => void;
  /** Its WebSockets. Those of objects come by {@link objectStreams}. @default none */
  readonly streams?: readonly Stream[];
  /**
   * The verb of each route that changes something, by method and URL after the prefix: `DELETE /:id` → `job.kill`. The
   * service logs who did it, and how it was answered.
   */
  readonly audit: Readonly<Record<string, string>>;
  /** Every few seconds in each control API: what depends on time alone, and may be done twice. @default nothing does */
  readonly sweep?: (deps: ApiDeps) => Promise<void>;
  /** Routes that change nothing though their method is not GET. @default none */
  readonly asks?: readonly string[];
}

/** A resource that has objects: each belongs to a project. */
export interface ObjectResource<T extends ProjectOf> extends Resource {
  /**
   * An object by id, or by name within the caller's projects.
   * @throws DelosError as {@link authorize} does
   */
  readonly find: (
    deps: Pick<ApiDeps, 'database' | 'settings'>,
    caller: Caller,
    idOrName: string,
    right: Right,
  ) => Promise<T>;
}

/** A resource that counts against a project's quota. */
export interface QuotaResource<Asked> extends Resource {
  /** @throws DelosError ERR_QUOTA_EXCEEDED where the project has no room for it */
  readonly quota: (tx: Tx, asked: Asked) => Promise<void>;
}

/** What the public listener serves. */
export interface ListenerDeps extends ApiDeps {
  readonly resources: Readonly<Record<string, Resource>>;
  /** Who may do what. @default the table of authorization/rules.ts */
  readonly rules?: Rules;
}
