import { randomUUID } from 'node:crypto';
import { DelosError, givenCredits } from '@delos/core';
import { grainsOf } from '@delos/ledger';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { giveCredits } from '../../../db/credits/books.ts';
import { administer } from '../../authorization/administer.ts';
import type { ApiDeps } from '../../deps.ts';
import { route } from '../../route.ts';
import { balanceOfOrg, setCredits } from '../credits/index.ts';

const amount = z
  .string()
  .regex(/^-?\d{1,12}(\.\d{1,9})?$/, 'expected a decimal number with at most 9 digits after the point');
const body = z.union([
  z.object({ additional_credits: givenCredits }),
  // Null: without a limit.
  z.object({ credits: amount.nullable() }),
]);

/** `apolo admin set-org-credits`, `add-org-credits`. The client says not why: the statement says that it was the client. */
export function balanceRoute(app: FastifyInstance, deps: ApiDeps): void {
  const { database } = deps;
  route(
    app,
    deps,
    {
      method: 'PATCH',
      url: '/orgs/:org/balance',
      tag: 'admin',
      summary: 'Give an organization credits, or set how many it has left',
      params: z.object({ org: z.string().min(1).max(63) }),
      body,
    },
    async ({ caller, params: { org }, body: asked }) => {
      administer(caller, undefined, 'platform');
      const by = { key: randomUUID(), by: caller.user, why: 'by apolo admin' };
      if ('credits' in asked && asked.credits === null) {
        throw new DelosError(
          'ERR_NOT_IMPLEMENTED',
          'an organization that has credits cannot be without a limit again',
          {
            hint: 'give it as many as it will never spend',
          },
        );
      }
      await database.tx(async (tx) => {
        if ('additional_credits' in asked) {
          await giveCredits(tx, { to: { org }, grains: grainsOf(asked.additional_credits), ...by }, new Date());
        } else if (asked.credits !== null) await setCredits(tx, org, asked.credits, by);
      });
      return { name: org, balance: await balanceOfOrg(database.db, org) };
    },
  );
}
