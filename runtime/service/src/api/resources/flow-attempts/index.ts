import { FLOW_PATH } from '@delos/core';
import { changeAttempt, endLostAttempts } from '../../../db/flow/attempts.ts';
import { type AttemptOfFlow, findAttempt } from '../../flow/find.ts';
import type { ObjectResource } from '../../resource.ts';
import { flowAttemptRoutes } from './routes.ts';

export const flowAttempts: ObjectResource<AttemptOfFlow> = {
  name: 'flow-attempts',
  title: 'attempts of bakes',
  prefix: `${FLOW_PATH}/attempts`,
  tables: ['flow_attempts'],
  routes: flowAttemptRoutes,
  find: findAttempt,
  sweep: async ({ database, log }) => {
    const ended = await endLostAttempts(database.db, (attempt, result) =>
      database.tx((tx) => changeAttempt(tx, attempt, { result })),
    );
    if (ended.length > 0) log.info({ attempts: ended }, 'their executors have ended');
  },
  audit: { 'POST ': 'flow-attempt.create', 'PUT /replace': 'flow-attempt.change' },
};
