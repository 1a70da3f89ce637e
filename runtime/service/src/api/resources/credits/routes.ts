import { randomUUID } from 'node:crypto';
import { creditsRecord, creditsStatement, DelosError, givenCredits } from '@delos/core';
import { grainsOf } from '@delos/ledger';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { giveCredits } from '../../../db/credits/books.ts';
import { creditsReport, creditsStatementOf } from '../../../db/credits/report.ts';
import type { ApiDeps, Caller } from '../../deps.ts';
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
      const records = await creditsReport(database.db, new Date(), caller.admin ? undefined : orgsOf(caller));
      return records.filter(
        ({ org, project }) => caller.admin || project === null || caller.roles.has(`${org}/${project}`),
      );
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
      requireMember(caller, org, query.project);
      const [year = 0, number = 1] = query.month.split('-').map(Number);
      const [from, to] = [new Date(Date.UTC(year, number - 1)), new Date(Date.UTC(year, number))];
      return creditsStatementOf(database.db, { org, project: query.project }, from, to);
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
      requireAdmin(caller);
      const { project, credits, why, key = randomUUID() } = body;
      const given = { to: { org, project }, grains: grainsOf(credits), key, why, by: caller.user };
      await database.tx((tx) => giveCredits(tx, given, new Date()));
      return creditsReport(database.db, new Date(), [org]);
    },
  );
}

const orgsOf = (caller: Caller): readonly string[] => [
  ...new Set([...caller.roles.keys()].map((key) => key.split('/')[0] ?? '')),
];

function requireMember(caller: Caller, org: string, project: string | undefined): void {
  if (caller.admin) return;
  const isMember = project === undefined ? orgsOf(caller).includes(org) : caller.roles.has(`${org}/${project}`);
  if (isMember) return;
  throw new DelosError('ERR_NOT_FOUND', `there is no organization ${org}, or it is not yours to see`);
}

function requireAdmin(caller: Caller): void {
  if (caller.admin) return;
  throw new DelosError('ERR_FORBIDDEN', `${caller.user} may not give credits`, {
    hint: 'ask the platform’s administrator',
  });
}
