import { randomUUID } from 'node:crypto';
import { creditsRecord, creditsStatement, DelosError, givenCredits } from '@delos/core';
import { grainsOf } from '@delos/ledger';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { giveCredits } from '../../../db/credits/books.ts';
import { creditsReport, creditsStatementOf } from '../../../db/credits/report.ts';
import { administer, isIn } from '../../authorization/administer.ts';
import type { ApiDeps } from '../../deps.ts';
import { route } from '../../route.ts';

const TAG = 'credits';
const params = z.object({ org: z.string().min(1).max(63) });
const month = z.string().regex(/^\d{4}-(0[1-9]|1[0-2])$/, 'expected a month, such as 2027-01');

/** Credits (/api/v1/credits): members of an organization see them, the platform's administrator gives them. */
export function creditRoutes(app: FastifyInstance, deps: ApiDeps): void {
  const { database } = deps;
  route(
    app,
    deps,
    {
      method: 'GET',
      url: '',
      tag: TAG,
      summary: 'What the caller’s organizations have left',
      response: z.array(creditsRecord),
    },
    async ({ caller }) => {
      const records = await creditsReport(database.db, new Date());
      return records.filter(({ org, project }) => isIn(caller, { org, project: project ?? undefined }));
    },
  );
  route(
    app,
    deps,
    {
      method: 'GET',
      url: '/:org/statement',
      tag: TAG,
      summary: 'What an organization, or a project of it, had and got in a month, in UTC',
      params,
      query: z.object({ project: z.string().max(63).optional(), month }),
      response: creditsStatement,
    },
    async ({ caller, params: { org }, query }) => {
      const { project } = query;
      if (!isIn(caller, { org, project })) {
        throw new DelosError('ERR_NOT_FOUND', `there is no organization ${org}, or it is not yours to see`);
      }
      const [year = 0, number = 1] = query.month.split('-').map(Number);
      const [from, to] = [new Date(Date.UTC(year, number - 1)), new Date(Date.UTC(year, number))];
      return creditsStatementOf(database.db, { org, project }, from, to);
    },
  );
  route(
    app,
    deps,
    {
      method: 'POST',
      url: '/:org',
      tag: TAG,
      summary: 'Give credits to an organization, or set some of its credits aside for a project of it',
      params,
      body: z.strictObject({
        project: z.string().max(63).optional(),
        credits: givenCredits,
        why: z.string().trim().min(1).max(1_000),
        key: z.string().min(1).max(100).optional(),
      }),
      response: z.array(creditsRecord),
    },
    async ({ caller, params: { org }, body }) => {
      administer(caller, undefined, 'platform');
      const { project, credits, why, key = randomUUID() } = body;
      const given = { to: { org, project }, grains: grainsOf(credits), key, why, by: caller.user };
      await database.tx((tx) => giveCredits(tx, given, new Date()));
      return creditsReport(database.db, new Date(), [org]);
    },
  );
}
