import { DelosError } from '@delos/core';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { triggerSecret } from '../../../db/flow/trigger-secrets.ts';
import type { ApiDeps } from '../../deps.ts';
import { runOnce } from '../../schedules/run-schedules.ts';
import { isSigned } from '../../schedules/signature.ts';

const BODY_BYTES = 64 * 1024;
const asked = z.object({ params: z.record(z.string().min(1).max(200), z.string().max(16_384)).optional() }).catch({});

/**
 * A request of somebody who has the secret of a schedule, and no account. It is good for five minutes and once: its id is
 * kept with the run. Whoever cannot sign is not told which schedules there are.
 */
export function flowTriggerRoutes(app: FastifyInstance, deps: ApiDeps): void {
  const { database, settings } = deps;
  // What was signed are the bytes, not what they say.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body));

  app.post<{ Params: { id: string } }>(
    '/:id',
    {
      bodyLimit: BODY_BYTES,
      config: { anonymousBody: BODY_BYTES },
      schema: {
        summary: 'Make the bake of a schedule, by a request signed as Standard Webhooks has it',
        tags: ['flows'],
        security: [],
        response: { 202: { description: 'Done' } },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const body = typeof request.body === 'string' ? request.body : '';
      const call = header(request, 'webhook-id');
      const secret =
        settings.secretsKey === undefined ? undefined : await triggerSecret(database.db, settings.secretsKey, id);
      const signed = {
        id: call,
        timestamp: header(request, 'webhook-timestamp'),
        signature: header(request, 'webhook-signature'),
        body,
      };
      if (secret === undefined || call === undefined || !isSigned(secret, signed, Date.now())) {
        throw new DelosError(
          'ERR_UNAUTHENTICATED',
          'no schedule takes this request: its signature or its time is wrong',
          {
            hint: 'sign ID.TIMESTAMP.BODY with the schedule’s secret, and send it within five minutes',
          },
        );
      }
      const run = await database.tx(async (tx) => {
        const held = await tx
          .selectFrom('flow_schedules')
          .selectAll()
          .where('id', '=', id)
          .forUpdate()
          .executeTakeFirst();
        if (held === undefined) return undefined;
        const { params } = paramsIn(body);
        const cause = { at: new Date(), cause: 'trigger', call } as const;
        return runOnce(tx, deps, held, params === undefined ? cause : { ...cause, params });
      });
      if (run === undefined) throw new DelosError('ERR_CONFLICT', `request ${call} was taken before`);
      deps.log.info({ schedule: id, ...run }, 'a schedule was triggered');
      return reply.code(202).send(run);
    },
  );
}

const header = (request: FastifyRequest, name: string): string | undefined => {
  const value = request.headers[name];
  return typeof value === 'string' ? value : undefined;
};

/** Any JSON is taken: those who send it have forms of their own. Only `params` of it is read. */
function paramsIn(body: string): z.infer<typeof asked> {
  try {
    return asked.parse(JSON.parse(body));
  } catch {
    return {};
  }
}
