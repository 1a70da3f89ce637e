import { isDelosError, PORTS } from '@delos/core';
import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify';
import { pino } from 'pino';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { installLastResort } from './edge/last-resort.ts';
import { FASTIFY_LIMITS, limitServer } from './edge/server-limits.ts';
import type { Environment, RunningService, Service } from './service.ts';

const STOP_MS = 10_000;

export interface RunOptions {
  readonly env: Environment;
  /** Port of the internal listener. 0: any. @default DELOS_INTERNAL_PORT or 8081 */
  readonly internalPort?: number;
}

export interface Runner {
  /** Where the internal listener answers. */
  readonly internalUrl: string;
  readonly running: RunningService;
  readonly stop: () => Promise<void>;
}

/** Starts a service and its internal listener. Signals are {@link runService}'s matter. */
export async function startService(service: Service, options: RunOptions): Promise<Runner> {
  const { env } = options;
  const log = pino({ level: env.DELOS_LOG_LEVEL ?? 'info', base: { service: service.name }, errorKey: 'error' });
  const metrics = new Registry();
  metrics.setDefaultLabels({ service: service.name });
  collectDefaultMetrics({ register: metrics });
  const controller = new AbortController();
  const internal: FastifyInstance = Fastify({
    loggerInstance: log as FastifyBaseLogger,
    forceCloseConnections: true,
    ...FASTIFY_LIMITS,
    logController: new LogController({ disableRequestLogging: true }),
  });
  limitServer(internal.server);
  let running: RunningService | undefined;

  internal.get('/health/live', () => ({ status: 'live' }));
  internal.get('/health/ready', async (_request, reply) => {
    const reason = running === undefined ? 'starting' : await running.unready();
    return reason === undefined ? { status: 'ready' } : reply.code(503).send({ status: 'unready', reason });
  });
  internal.get('/metrics', async (_request, reply) => reply.type(metrics.contentType).send(await metrics.metrics()));

  try {
    running = await service.start({ env, log, metrics, internal, signal: controller.signal });
    const port = options.internalPort ?? Number(env.DELOS_INTERNAL_PORT ?? PORTS.internal);
    const internalUrl = await internal.listen({ host: env.DELOS_LISTEN_HOST ?? '::', port });
    log.info({ internalUrl }, 'service started');
    const started = running;
    return {
      internalUrl,
      running: started,
      stop: async () => {
        controller.abort();
        await started.stop();
        await internal.close();
      },
    };
  } catch (error) {
    controller.abort();
    await running?.stop().catch(() => undefined);
    await internal.close();
    throw error;
  }
}

/** Runs a service as this process: ends on SIGTERM or SIGINT, at once on a second one. Never returns. */
export async function runService(service: Service, env: Environment): Promise<never> {
  const log = pino({ base: { service: service.name }, errorKey: 'error' });
  try {
    const signalled = Promise.withResolvers<string>();
    for (const name of ['SIGTERM', 'SIGINT'] as const) {
      let seen = false;
      process.on(name, () => {
        if (seen) process.exit(1);
        seen = true;
        signalled.resolve(name);
      });
    }
    installLastResort(log, () => process.exit(1));
    const runner = await startService(service, { env });
    const why = await Promise.race([signalled.promise, runner.running.done ?? new Promise<void>(() => undefined)]);
    log.info({ why: why ?? 'done' }, 'service ends');
    const timer = setTimeout(() => {
      log.error('service did not end in time');
      process.exit(1);
    }, STOP_MS);
    timer.unref();
    await runner.stop();
    process.exit(0);
  } catch (error) {
    log.fatal({ error }, isDelosError(error) ? error.render() : 'service failed');
    process.exit(isDelosError(error) ? error.exitCode : 1);
  }
}
