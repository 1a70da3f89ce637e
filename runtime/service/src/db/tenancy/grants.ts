import { ACTIONS, type Action, DelosError } from '@delos/core';
import { sql } from 'kysely';
import { RIGHTS_CHANGED } from '../notifications.ts';
import type { Db, Tx } from '../schema.ts';

/** Most that one user is given. Each request reads them. */
export const MOST_GRANTS = 500;

/** Rights of what is open are looked at again. */
export async function tellRights(tx: Tx): Promise<void> {
  await sql`select pg_notify(${RIGHTS_CHANGED}, '')`.execute(tx);
}

/** @throws DelosError ERR_NOT_FOUND for a name that is no live user's */
export async function userNamed(db: Db | Tx, name: string): Promise<{ readonly id: number; readonly name: string }> {
  const row = await db
    .selectFrom('users')
    .select(['id', 'name'])
    .where('name', '=', name)
    .where('removed_at', 'is', null)
    .executeTakeFirst();
  if (row !== undefined) return row;
  throw new DelosError('ERR_NOT_FOUND', `there is no user or service account ${JSON.stringify(name)}`, {
    hint: 'apolo service-account ls shows the role of an account',
  });
}

/**
 * Gives a right to a thing and all below it. One that the user has already is not made less.
 * @returns what the user has now by grants for this URI
 * @throws DelosError ERR_QUOTA_EXCEEDED
 */
export async function giveGrant(
  tx: Tx,
  user: number,
  { uri, action, by }: { readonly uri: string; readonly action: Action; readonly by: string },
): Promise<Action> {
  await sql`select pg_advisory_xact_lock(hashtextextended(${`grants of ${user}`}, 0))`.execute(tx);
  const rows = await tx.selectFrom('grants').select(['uri', 'action']).where('user_id', '=', user).execute();
  const known = rows.find((row) => row.uri === uri);
  if (known === undefined && rows.length >= MOST_GRANTS) {
    throw new DelosError('ERR_QUOTA_EXCEEDED', `there are ${rows.length} grants to this user, the most`, {
      hint: 'a grant for a whole project takes one: SCHEME://CLUSTER/ORG/PROJECT',
    });
  }
  if (known !== undefined && ACTIONS.indexOf(known.action) >= ACTIONS.indexOf(action)) return known.action;
  await tx
    .insertInto('grants')
    .values({ user_id: user, uri, action, given_by: by })
    .onConflict((on) => on.columns(['user_id', 'uri']).doUpdateSet({ action, given_by: by, given_at: new Date() }))
    .execute();
  await tellRights(tx);
  return action;
}

/** @throws DelosError ERR_NOT_FOUND where there is no such grant */
export async function takeGrant(
  tx: Tx,
  user: { readonly id: number; readonly name: string },
  uri: string,
): Promise<void> {
  const gone = await tx
    .deleteFrom('grants')
    .where('user_id', '=', user.id)
    .where('uri', '=', uri)
    .returning('uri')
    .execute();
  if (gone.length === 0) {
    throw new DelosError('ERR_NOT_FOUND', `${user.name} was given nothing for ${uri}`, {
      hint: 'apolo acl ls --shared shows what you have given. What a role in a project gives ends with the role',
    });
  }
  await tellRights(tx);
}

/** What was given in projects that are no more: whoever makes one of such a name later has given nothing. */
export async function endGrantsOfRetired(tx: Tx): Promise<void> {
  const { rows } = await sql`delete from grants g where exists (select from projects p where p.retired
    and split_part(g.uri, '/', 4) = p.org and split_part(g.uri, '/', 5) = p.name)
    returning 1`.execute(tx);
  if (rows.length > 0) await tellRights(tx);
}
