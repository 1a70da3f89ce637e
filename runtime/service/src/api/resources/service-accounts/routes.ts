import { DelosError } from '@delos/core';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { requirePresent } from '../../../db/clusters/present.ts';
import {
  type AccountRow,
  findAccount,
  listAccounts,
  makeAccount,
  removeAccount,
} from '../../../db/tenancy/service-accounts.ts';
import type { ApiDeps, Caller } from '../../deps.ts';
import { projectFor } from '../../project-for.ts';
import { route } from '../../route.ts';
import { stillUser } from '../../still-user.ts';

const TAG = 'service accounts';
const params = z.object({ account: z.string().max(128) });
const newAccount = z.object({
  name: z
    .string()
    .regex(/^[a-z][a-z0-9-]{1,40}$/, 'expected 2 to 41 lower-case letters, digits and hyphens, a letter first')
    .nullish(),
  default_cluster: z.string().max(128),
  default_org: z.string().max(128).nullish(),
  default_project: z.string().max(128),
});

const accountJson = (row: AccountRow): Record<string, unknown> => ({
  id: row.id,
  owner: row.owner,
  name: row.name,
  role: row.role,
  default_cluster: row.default_cluster,
  default_org: row.default_org,
  default_project: row.default_project,
  created_at: row.made_at.toISOString(),
  expires_at: row.expires_at.toISOString(),
});

/** Accounts of programs: each acts as itself, has no right until it is given one, and its token ends. */
export function serviceAccountRoutes(app: FastifyInstance, deps: ApiDeps): void {
  const { database, settings } = deps;

  route(app, deps, { method: 'GET', url: '', tag: TAG, summary: 'One’s own service accounts' }, async ({ caller }) =>
    (await listAccounts(database.db, caller.id)).map(accountJson),
  );
  route(
    app,
    deps,
    { method: 'POST', url: '', tag: TAG, summary: 'Make a service account', body: newAccount, success: [201] },
    async ({ body, caller, reply }) => {
      await refuseForAccounts(deps, caller);
      const { account, token } = await database.tx(async (tx) => {
        await stillUser(tx, caller);
        const cluster = await requirePresent(tx, settings.cluster, body.default_cluster);
        // Whose name it shall be told: only who may work there makes one.
        const { org, name } = await projectFor(tx, { org: body.default_org, name: body.default_project }, caller);
        return makeAccount(tx, { owner: caller, name: body.name ?? null, cluster, org, project: name });
      });
      const passed = {
        token,
        cluster: account.default_cluster,
        org_name: account.default_org,
        project_name: account.default_project,
        url: `${settings.publicUrl}/api/v1`,
      };
      const blob = Buffer.from(JSON.stringify(passed)).toString('base64');
      return reply
        .code(201)
        .header('cache-control', 'no-store')
        .send({ ...accountJson(account), token: blob });
    },
  );
  route(
    app,
    deps,
    { method: 'GET', url: '/:account', tag: TAG, summary: 'One service account, by id or name', params },
    async ({ caller, params: { account } }) => accountJson(await findAccount(database.db, caller.id, account)),
  );
  route(
    app,
    deps,
    { method: 'DELETE', url: '/:account', tag: TAG, summary: 'End a service account', params, success: [204] },
    async ({ caller, params: { account }, reply }) => {
      await database.tx((tx) => removeAccount(tx, caller.id, account));
      return reply.code(204).send();
    },
  );
}

/** A token that was taken must not make others that outlive it. */
async function refuseForAccounts({ database }: ApiDeps, caller: Caller): Promise<void> {
  const row = await database.db.selectFrom('users').select('service').where('id', '=', caller.id).executeTakeFirst();
  if (row?.service !== true) return;
  throw new DelosError('ERR_FORBIDDEN', 'a service account makes no service accounts', { hint: 'its owner does' });
}
