import { randomUUID } from 'node:crypto';
import { DelosError } from '@delos/core';
import { sql } from 'kysely';
import type { Db, Tx } from '../schema.ts';
import { endServiceAccounts } from '../users.ts';
import { digestOfToken, makeAccountToken } from './account-tokens.ts';
import { tellRights } from './grants.ts';

/** For so long a token is good. */
export const ACCOUNT_DAYS = 365;
/** Most accounts of one person. */
export const MOST_ACCOUNTS = 50;
/** Of a user's name, which is also a label in the cluster. */
const LONGEST_NAME = 63;

export interface AccountRow {
  readonly id: string;
  readonly name: string | null;
  readonly owner: string;
  /** As whom it acts. */
  readonly role: string;
  readonly default_cluster: string;
  readonly default_org: string | null;
  readonly default_project: string;
  readonly made_at: Date;
  readonly expires_at: Date;
}

const accounts = (db: Db | Tx) =>
  db
    .selectFrom('service_accounts')
    .innerJoin('users as account', 'account.id', 'service_accounts.user_id')
    .innerJoin('users as owner', 'owner.id', 'service_accounts.owner_id')
    .select(['service_accounts.id', 'service_accounts.name', 'owner.name as owner', 'account.name as role'])
    .select(['service_accounts.default_cluster', 'service_accounts.default_org', 'service_accounts.default_project'])
    .select(['service_accounts.made_at', 'service_accounts.expires_at']);

/** One's own, the oldest first. */
export async function listAccounts(db: Db, owner: number): Promise<readonly AccountRow[]> {
  return accounts(db).where('owner_id', '=', owner).orderBy('made_at').execute();
}

/** By id or name. @throws DelosError ERR_NOT_FOUND for one that is not the owner's */
export async function findAccount(db: Db | Tx, owner: number, idOrName: string): Promise<AccountRow> {
  const row = await accounts(db)
    .where('owner_id', '=', owner)
    .where((eb) => eb.or([eb('service_accounts.id', '=', idOrName), eb('service_accounts.name', '=', idOrName)]))
    .executeTakeFirst();
  if (row !== undefined) return row;
  throw new DelosError('ERR_NOT_FOUND', `there is no service account ${JSON.stringify(idOrName)}`, {
    hint: 'apolo service-account ls lists yours',
  });
}

export interface NewAccount {
  readonly owner: { readonly id: number; readonly user: string };
  readonly name: string | null;
  readonly cluster: string;
  readonly org: string | null;
  readonly project: string;
}

/** @returns the account, and its token, which is told once. @throws DelosError ERR_CONFLICT, ERR_QUOTA_EXCEEDED, ERR_REQUEST */
export async function makeAccount(
  tx: Tx,
  { owner, name, cluster, org, project }: NewAccount,
): Promise<{ readonly account: AccountRow; readonly token: string }> {
  await sql`select pg_advisory_xact_lock(hashtextextended(${`accounts of ${owner.id}`}, 0))`.execute(tx);
  const own = await tx.selectFrom('service_accounts').select('name').where('owner_id', '=', owner.id).execute();
  if (own.length >= MOST_ACCOUNTS) {
    throw new DelosError('ERR_QUOTA_EXCEEDED', `${owner.user} has ${own.length} service accounts, the most`);
  }
  if (name !== null && own.some((each) => each.name === name)) {
    throw new DelosError('ERR_CONFLICT', `${owner.user} has a service account ${name} already`);
  }
  const id = randomUUID();
  const role = `${owner.user}.sa.${name ?? id.slice(0, 8)}`;
  if (role.length > LONGEST_NAME) {
    throw new DelosError('ERR_REQUEST', `${role} is longer than ${LONGEST_NAME} characters`, {
      where: { field: 'name' },
      hint: 'choose a shorter name',
    });
  }
  const user = await tx
    .insertInto('users')
    .values({ name: role, service: true })
    .returning('id')
    .executeTakeFirstOrThrow();
  const expires = new Date(Date.now() + ACCOUNT_DAYS * 86_400_000);
  const token = makeAccountToken(role, expires);
  await tx
    .insertInto('service_accounts')
    .values({
      id,
      user_id: user.id,
      owner_id: owner.id,
      name,
      default_cluster: cluster,
      default_org: org,
      default_project: project,
      digest: digestOfToken(token),
      expires_at: expires,
    })
    .execute();
  return { account: await findAccount(tx, owner.id, id), token };
}

/** Its token is refused from that transaction on, and its open streams are closed. @throws DelosError ERR_NOT_FOUND */
export async function removeAccount(tx: Tx, owner: number, idOrName: string): Promise<void> {
  const { id } = await findAccount(tx, owner, idOrName);
  const row = await tx.selectFrom('service_accounts').select('user_id').where('id', '=', id).executeTakeFirstOrThrow();
  await endServiceAccounts(tx, row.user_id);
  // Not a change of the configuration: anybody may do this as often as they like.
  await tellRights(tx);
}
