import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';

/*
 * The one shape of every service: configuration from the environment, structured logs on stdout, an internal listener
 * (port 8081) with /metrics, /health/live and /health/ready, and an end on SIGTERM within bounded time.
 */

export type Environment = Readonly<Record<string, string | undefined>>;

export interface ServiceContext {
  readonly env: Environment;
  readonly log: Logger;
  readonly metrics: Registry;
  /** Internal listener; routes may be added until `start` returns. Its `server` takes WebSocket upgrades. */
  readonly internal: FastifyInstance;
  /** Aborted when the service shall end. */
  readonly signal: AbortSignal;
}

export interface RunningService {
  /** Undefined where it can do its work, else what is missing, in words. */
  readonly unready: () => Promise<string | undefined>;
  /** Finishes what is under way. Called once; the process ends when it returns or after 10 s. */
  readonly stop: () => Promise<void>;
  /** Settles when the service ends of itself; a rejection ends the process with an error. */
  readonly done?: Promise<void>;
}

export interface Service {
  readonly name: string;
  /** @throws DelosError when the configuration is wrong or what it needs does not come. */
  readonly start: (context: ServiceContext) => Promise<RunningService>;
}
