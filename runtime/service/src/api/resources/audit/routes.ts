import { chained } from '@delos/audit';
import { DelosError } from '@delos/core';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { auditFilter, readAudit, readAuditKeys } from '../../../db/audit/read.ts';
import type { ApiDeps, Caller } from '../../deps.ts';
import { route } from '../../route.ts';

const TAG = 'audit';

/** Records of who did what (/api/v1/audit): the platform's administrator reads them. Nobody changes them. */
export function auditRoutes(app: FastifyInstance, deps: ApiDeps): void {
  const { db } = deps.database;
  route(
    app,
    deps,
    {
      method: 'GET',
      url: '',
      tag: TAG,
      summary: 'Records, the earliest first; the next page begins `after` the last number',
      query: auditFilter,
      response: z.array(chained),
    },
    async ({ caller, query }) => {
      requireAdmin(caller);
      return readAudit(db, query);
    },
  );
  route(
    app,
    deps,
    { method: 'GET', url: '/keys', tag: TAG, summary: 'Public keys that sign checkpoints, PEM' },
    async ({ caller }) => {
      requireAdmin(caller);
      return readAuditKeys(db);
    },
  );
}

function requireAdmin(caller: Caller): void {
  if (caller.admin) return;
  throw new DelosError('ERR_FORBIDDEN', `${caller.user} may not read records of others`, {
    hint: 'ask the platform’s administrator',
  });
}
