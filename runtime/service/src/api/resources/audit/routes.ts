import { chained } from '@delos/audit';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { auditFilter, readAudit, readAuditKeys } from '../../../db/audit/read.ts';
import { administer } from '../../authorization/administer.ts';
import type { ApiDeps } from '../../deps.ts';
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
      administer(caller, undefined, 'platform');
      return readAudit(db, query);
    },
  );
  route(
    app,
    deps,
    { method: 'GET', url: '/keys', tag: TAG, summary: 'Public keys that sign checkpoints, PEM' },
    async ({ caller }) => {
      administer(caller, undefined, 'platform');
      return readAuditKeys(db);
    },
  );
}
