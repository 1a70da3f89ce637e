import { MAX_BODY_BYTES } from '@delos/core';
import swagger from '@fastify/swagger';
import Fastify, { type FastifyBaseLogger, type FastifyInstance, type FastifyReply, LogController } from 'fastify';
import { Histogram } from 'prom-client';
import { appendAudit } from '../db/audit/append.ts';
import { FASTIFY_LIMITS, limitServer } from '../edge/server-limits.ts';
import { decodedBody } from '../edge/text.ts';
import { admitRequests } from './admit-requests.ts';
import { auditRequests } from './audit.ts';
import { guardRoutes } from './authorization/guard.ts';
import { RULES } from './authorization/rules.ts';
import type { ApiDeps } from './deps.ts';
import { httpError } from './http-errors.ts';
import { absentServices } from './known-services.ts';
import { limitSources } from './limits/request-limits.ts';
import { rewriteUrl } from './paths/cluster-paths.ts';
import type { ListenerDeps } from './resource.ts';
import { ERROR_SCHEMA } from './route.ts';

/** The public listener (port 8080), all routes but the WebSockets'. */
export async function publicApp(deps: ListenerDeps): Promise<FastifyInstance> {
  const app: FastifyInstance = Fastify({
    loggerInstance: deps.log as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    // The gateway in front sets them; the peer is always the gateway.
    trustProxy: true,
    rewriteUrl,
    bodyLimit: MAX_BODY_BYTES,
    forceCloseConnections: true,
    ...FASTIFY_LIMITS,
    // A path that is not percent-encoded UTF-8 is refused before it has a route.
    frameworkErrors: (error, request, reply) => {
      const answer = httpError(error);
      if (answer.internal) request.log.error({ error }, 'request failed');
      void (reply as FastifyReply).code(answer.status).send(answer.body);
    },
    routerOptions: { ignoreTrailingSlash: true },
  });
  limitServer(app.server);
  // Requests are checked by zod in `route`; the schemas here only describe them.
  app.setValidatorCompiler(() => () => true);
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
  // Body-less requests of the client carry octet-stream; no route of ours reads one.
  // A DELETE or PUT without a body that names JSON all the same is no error.
  const parse = app.getDefaultJsonParser('error', 'error');
  app.removeContentTypeParser('application/json');
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    if (body.length === 0) return done(null, undefined);
    let text: string;
    try {
      text = decodedBody(Buffer.from(body));
    } catch (error) {
      return done(error instanceof Error ? error : new Error(String(error)), undefined);
    }
    void parse(request, text, done);
  });
  app.addContentTypeParser('*', (_request, payload, done) => {
    payload.resume();
    payload.on('end', () => done(null, undefined));
  });
  measure(app, deps);
  limitSources(app, deps);
  admitRequests(app, deps);
  app.setErrorHandler((error, request, reply) => {
    const answer = httpError(error);
    if (answer.internal) request.log.error({ error, url: pathOf(request.url) }, 'request failed');
    if (answer.retryAfter !== undefined) void reply.header('retry-after', String(answer.retryAfter));
    return reply.code(answer.status).send(answer.body);
  });
  app.setNotFoundHandler((request, reply) =>
    reply
      .code(404)
      .send({ error: `no such endpoint: ${request.method} ${pathOf(request.url)}`, code: 'ERR_NOT_FOUND' }),
  );

  await app.register(swagger, {
    openapi: {
      info: {
        title: 'Delos control API',
        version: '1',
        description: 'Jobs and configuration, as the apolo client asks',
      },
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } } },
      security: [{ token: [] }],
    },
  });
  // Any request may be refused, also since what it asks for is no part of the release. A route that says nothing of its success has one.
  app.addHook('onRoute', ({ schema }) => {
    if (schema !== undefined && !('hide' in schema))
      schema.response = { '4xx': ERROR_SCHEMA, 501: ERROR_SCHEMA, ...Object(schema.response ?? SUCCESS) };
  });
  await app.register(
    async (scope) => {
      scope.get('/ping', { schema: { summary: 'Is it there?', tags: ['config'] } }, async () => ({ ping: 'pong' }));
      scope.get('/openapi.json', { schema: { hide: true } }, async () => app.swagger());
    },
    { prefix: '/api/v1' },
  );
  for (const resource of Object.values(deps.resources)) {
    await app.register(
      async (scope) => {
        guardRoutes(scope, deps, resource, deps.rules ?? RULES);
        auditRequests(scope, { ...deps, record: (event) => appendAudit(deps.database.db, event) }, resource);
        resource.routes(scope, deps);
      },
      { prefix: resource.prefix },
    );
  }
  absentServices(app, deps.resources);
  return app;
}

const SUCCESS = { 200: { description: 'Done' } };

function measure(app: FastifyInstance, deps: ApiDeps): void {
  const seconds = new Histogram({
    name: 'delos_api_request_seconds',
    help: 'Duration of public API requests',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: [deps.metrics],
  });
  app.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? 'none';
    const status = reply.raw.statusCode;
    seconds.observe({ method: request.method, route, status }, reply.elapsedTime / 1000);
    request.log.debug({ method: request.method, url: pathOf(request.url), status, ms: reply.elapsedTime }, 'request');
  });
}

/** Without the query, which may carry what no log should. */
function pathOf(url: string): string {
  return url.split('?', 1)[0] ?? url;
}
