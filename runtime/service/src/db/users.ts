import { sql } from 'kysely';
import type { Database } from './database.ts';
import type { Db, Tx } from './schema.ts';

/*
 * People are known by their account's subject, not by their name. A removed user keeps a row, so that old tokens are
 * refused; whoever gets the same name later is a new row, and owns nothing of the former one.
 */

/** What the platform knows of the identity provider's accounts. */
export interface Accounts {
  /** Subject → whether that account may still be used. */
  readonly known: () => Promise<ReadonlyMap<string, 'live' | 'removed'>>;
  /** Name of a live user of the platform itself → subject of the account. */
  readonly own: () => Promise<ReadonlyMap<string, string>>;
  /** From now on this account is the user of that name. */
  readonly bind: (name: string, subject: string) => Promise<void>;
}

export function accountsOf(database: Pick<Database, 'db' | 'tx'>): Accounts {
  return {
    known: async () => {
      const rows = await database.db
        .selectFrom('users')
        .select(['subject', 'removed_at'])
        .where('subject', 'is not', null)
        .execute();
      return new Map(rows.map((row) => [row.subject ?? '', row.removed_at === null ? 'live' : 'removed']));
    },
    own: async () => {
      const rows = await database.db
        .selectFrom('users')
        .select(['name', 'subject'])
        .where('subject', 'is not', null)
        .where('removed_at', 'is', null)
        .where('provider', 'is', null)
        .execute();
      return new Map(rows.map(({ name, subject }) => [name, subject ?? '']));
    },
    bind: (name, subject) => database.tx((tx) => bindAccount(tx, name, subject)),
  };
}

/** A user that delos.yaml names. */
export interface DeclaredUser {
  readonly name: string;
  /** The provider that the user comes from. @default the platform itself */
  readonly provider?: string | undefined;
}

/**
 * Makes exactly these names live users, and leaves alone who else came by one of these providers. A name that changes
 * its provider is another person. Repeating it changes nothing.
 */
export async function applyUsers(
  tx: Tx,
  users: readonly DeclaredUser[],
  providers: readonly string[] = [],
): Promise<void> {
  const names = users.map(({ name }) => name);
  const from = users.map(({ provider }) => provider ?? '');
  const gone = await tx
    .updateTable('users')
    .set({ removed_at: new Date() })
    .where('removed_at', 'is', null)
    .where(
      sql<boolean>`not users.service and not exists (select from unnest(${names}::text[], ${from}::text[]) as declared (name, provider)
          where declared.name = users.name and declared.provider = coalesce(users.provider, ''))
        and (users.provider is null or users.provider <> all (${providers}::text[]) or users.name = any (${names}::text[]))`,
    )
    .returning(['id', 'name'])
    .execute();
  for (const user of gone) await leave(tx, user);
  await sql`insert into users (name, provider)
    select declared.name, nullif(declared.provider, '')
    from unnest(${names}::text[], ${from}::text[]) as declared (name, provider)
    on conflict (name) where removed_at is null do nothing`.execute(tx);
}

/** An account that replaces another of the same name is another person. */
async function bindAccount(tx: Tx, name: string, subject: string): Promise<void> {
  const live = await tx
    .selectFrom('users')
    .select(['id', 'name', 'subject'])
    .where('name', '=', name)
    .where('removed_at', 'is', null)
    .forUpdate()
    .executeTakeFirst();
  if (live === undefined || live.subject === subject) return;
  if (live.subject === null) {
    await tx.updateTable('users').set({ subject }).where('id', '=', live.id).execute();
    return;
  }
  await tx.updateTable('users').set({ removed_at: new Date() }).where('id', '=', live.id).execute();
  await leave(tx, live);
  await tx.insertInto('users').values({ name, subject }).execute();
}

/**
 * For an identity provider that is not ours: the first account that comes with a user's name is that user.
 * Nothing changes where the name has an account already, or is no user's.
 */
export async function bindFirstAccount(db: Db, name: string, subject: string): Promise<void> {
  await db
    .updateTable('users')
    .set({ subject })
    .where('name', '=', name)
    .where('subject', 'is', null)
    .where('service', '=', false)
    .where('removed_at', 'is', null)
    .execute();
}

/** Accounts of programs end with the person whose they are. @param owner the person, or the account itself */
export async function endServiceAccounts(tx: Tx, owner: number): Promise<void> {
  const rows = await tx
    .deleteFrom('service_accounts')
    .where(({ eb, or }) => or([eb('owner_id', '=', owner), eb('user_id', '=', owner)]))
    .returning('user_id')
    .execute();
  for (const { user_id: id } of rows) {
    const gone = await tx
      .updateTable('users')
      .set({ removed_at: new Date() })
      .where('id', '=', id)
      .where('removed_at', 'is', null)
      .returning(['id', 'name'])
      .executeTakeFirst();
    if (gone !== undefined) await leave(tx, gone, 'service account');
  }
}

/** Jobs, disks and buckets stay with the project, under a name that nobody else can have; tokens that were issued end. */
export async function leave(
  tx: Tx,
  user: { readonly id: number; readonly name: string },
  actor = 'configuration',
): Promise<void> {
  await tx
    .updateTable('jobs')
    .set({ owner: `${user.name}~${user.id}` })
    .where('owner', '=', user.name)
    .execute();
  await tx
    .updateTable('disks')
    .set({ owner: `${user.name}~${user.id}` })
    .where('owner', '=', user.name)
    .execute();
  await tx
    .updateTable('buckets')
    .set({ owner: `${user.name}~${user.id}` })
    .where('owner', '=', user.name)
    .execute();
  // What delos.yaml or a provider gives is theirs to take back.
  await tx.deleteFrom('members').where('user_name', '=', user.name).where('declared', '=', false).execute();
  await tx.deleteFrom('org_members').where('user_name', '=', user.name).execute();
  await tx.deleteFrom('person_quotas').where('user_name', '=', user.name).execute();
  await tx.deleteFrom('grants').where('user_id', '=', user.id).execute();
  await endServiceAccounts(tx, user.id);
  await tx
    .updateTable('issued_tokens')
    .set({ revoked_at: new Date() })
    .where('user_name', '=', user.name)
    .where('revoked_at', 'is', null)
    .execute();
  await tx
    .insertInto('audit')
    .values({ actor, action: 'user.remove', target: user.name, outcome: 'done', details: '{}' })
    .execute();
}
