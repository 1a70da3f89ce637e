import { PLAIN_SHARE, type ProjectRole } from '@delos/core';
import { sql } from 'kysely';
import { CONFIG_CHANGED } from './notifications.ts';
import type { Tx } from './schema.ts';
import { leave } from './users.ts';

/*
 * People and memberships that follow from what an identity provider says. What delos.yaml says itself goes first: a
 * declared membership is never changed here, and a declared name is nobody else's.
 */

/** Somebody whom a provider knows. */
export interface ProviderPerson {
  /** Subject of the account in the realm. */
  readonly subject: string;
  readonly name: string;
  /** `org/project` → role, from all their groups together. */
  readonly roles: ReadonlyMap<string, ProjectRole>;
}

/** What became of an application, in words for a log. */
export interface ProviderOutcome {
  readonly changes: readonly string[];
  /** Who was not let in, and why. */
  readonly refused: readonly string[];
}

/** Names that the platform's paths, labels and logs take: as delos.yaml's, with dots and underscores. */
const NAME = /^[a-z][a-z0-9._-]{1,62}$/;

/**
 * Makes the provider's memberships these. Repeating it changes nothing.
 * @param whole true: these are all people of mapped groups, and whoever is missing has lost theirs; false: nobody loses any
 */
export async function applyProvider(
  tx: Tx,
  provider: string,
  people: readonly ProviderPerson[],
  whole: boolean,
): Promise<ProviderOutcome> {
  await sql`select pg_advisory_xact_lock(hashtext('delos apply config'))`.execute(tx);
  const changes: string[] = [];
  const refused: string[] = [];
  const names: string[] = [];
  const desired = new Map<string, ProjectRole>();
  for (const person of people) {
    const found = await userOf(tx, provider, person);
    if (typeof found === 'string') {
      refused.push(found);
      continue;
    }
    if (found.made) changes.push(`user ${found.name} came by ${provider}`);
    names.push(found.name);
    for (const [project, role] of person.roles) desired.set(JSON.stringify([found.name, ...project.split('/')]), role);
  }
  changes.push(...(await applyMembers(tx, provider, desired, whole)));
  if (names.length > 0) {
    await tx
      .updateTable('users')
      .set({ looked_at: new Date() })
      .where('provider', '=', provider)
      .where('name', 'in', names)
      .where('removed_at', 'is', null)
      .execute();
  }
  if (changes.length > 0) await sql`select pg_notify(${CONFIG_CHANGED}, '')`.execute(tx);
  return { changes, refused };
}

/** The user's row, made where it may be; else why they are not let in. */
async function userOf(
  tx: Tx,
  provider: string,
  { subject, name, roles }: ProviderPerson,
): Promise<{ readonly name: string; readonly made: boolean } | string> {
  const known = await tx.selectFrom('users').selectAll().where('subject', '=', subject).executeTakeFirst();
  if (known !== undefined) {
    if (known.removed_at === null && known.provider === provider) return { name: known.name, made: false };
    return `${name} of ${provider}: the account was another's before, and is not taken again`;
  }
  if (!NAME.test(name)) {
    return `${JSON.stringify(name)} of ${provider}: expected a name of 2 to 63 lower-case letters, digits, dots, hyphens and underscores, a letter first`;
  }
  const live = await tx
    .selectFrom('users')
    .selectAll()
    .where('name', '=', name)
    .where('removed_at', 'is', null)
    .forUpdate()
    .executeTakeFirst();
  if (live !== undefined && live.provider !== provider) {
    return `${name} of ${provider}: a user of ${live.provider ?? 'the platform itself'} has this name already`;
  }
  if (live?.subject === null) {
    await tx.updateTable('users').set({ subject }).where('id', '=', live.id).execute();
    return { name, made: false };
  }
  if (live === undefined && roles.size === 0) return `${name} of ${provider}: none of their groups has a place here`;
  // The account was made anew at the provider: another person, as a name of delos.yaml that is given again.
  if (live !== undefined) {
    await tx.updateTable('users').set({ removed_at: new Date() }).where('id', '=', live.id).execute();
    await leave(tx, live, provider);
  }
  await tx.insertInto('users').values({ name, subject, provider }).execute();
  return { name, made: true };
}

async function applyMembers(
  tx: Tx,
  provider: string,
  desired: ReadonlyMap<string, ProjectRole>,
  whole: boolean,
): Promise<readonly string[]> {
  const rows = await tx
    .selectFrom('members')
    .select(['org', 'project', 'user_name', 'role'])
    .where('provider', '=', provider)
    .execute();
  const actual = new Map(rows.map((row) => [JSON.stringify([row.user_name, row.org, row.project]), row.role]));
  const changes: string[] = [];
  for (const key of actual.keys()) {
    if (!whole || desired.has(key)) continue;
    const { user, org, project } = partsOf(key);
    await tx
      .deleteFrom('members')
      .where('provider', '=', provider)
      .where('user_name', '=', user)
      .where('org', '=', org)
      .where('project', '=', project)
      .execute();
    changes.push(`${user} left ${org}/${project}`);
  }
  for (const [key, role] of desired) {
    if (actual.get(key) === role) continue;
    const { user, org, project } = partsOf(key);
    const { rows: written } = await sql`
      insert into members (org, project, user_name, role, share, provider)
      select ${org}, ${project}, ${user}, ${role}, ${JSON.stringify(PLAIN_SHARE)}::jsonb, ${provider}
      where exists (select from projects where org = ${org} and name = ${project} and not retired)
      on conflict (org, project, user_name) do update set role = excluded.role
        where members.provider = excluded.provider
      returning role`.execute(tx);
    if (written.length > 0) changes.push(`${user} is ${role} of ${org}/${project}`);
  }
  return changes;
}

function partsOf(key: string): { readonly user: string; readonly org: string; readonly project: string } {
  const [user = '', org = '', project = ''] = JSON.parse(key) as readonly string[];
  return { user, org, project };
}

/** Users of a provider, by their accounts' subjects. */
export async function usersOf(tx: Tx, provider: string): Promise<ReadonlyMap<string, string>> {
  const rows = await tx
    .selectFrom('users')
    .select(['name', 'subject'])
    .where('provider', '=', provider)
    .where('removed_at', 'is', null)
    .where('subject', 'is not', null)
    .execute();
  return new Map(rows.map(({ subject, name }) => [subject ?? '', name]));
}

/** Users of a provider, with what they have by it now. */
export async function membersOf(tx: Tx, provider: string): Promise<readonly ProviderPerson[]> {
  const rows = await tx
    .selectFrom('users')
    .leftJoin('members', (join) =>
      join.onRef('members.user_name', '=', 'users.name').on('members.provider', '=', provider),
    )
    .select(['users.name', 'users.subject', 'members.org', 'members.project', 'members.role'])
    .where('users.provider', '=', provider)
    .where('users.removed_at', 'is', null)
    .where('users.subject', 'is not', null)
    .orderBy('users.subject')
    .execute();
  return [...Map.groupBy(rows, ({ subject }) => subject ?? '')].map(([subject, own]) => ({
    subject,
    name: own[0]?.name ?? '',
    roles: new Map(
      own.flatMap(({ org, project, role }) =>
        org === null || project === null || role === null ? [] : [[`${org}/${project}`, role] as const],
      ),
    ),
  }));
}

/** Their accounts are gone at the provider: they are users no longer. */
export async function removeUsers(tx: Tx, provider: string, subjects: readonly string[]): Promise<readonly string[]> {
  const gone = await tx
    .updateTable('users')
    .set({ removed_at: new Date() })
    .where('provider', '=', provider)
    .where('removed_at', 'is', null)
    .where(sql<boolean>`subject = any (${subjects}::text[])`)
    .returning(['id', 'name'])
    .execute();
  for (const user of gone) {
    await leave(tx, user, provider);
    await tx.deleteFrom('members').where('provider', '=', provider).where('user_name', '=', user.name).execute();
  }
  if (gone.length > 0) await sql`select pg_notify(${CONFIG_CHANGED}, '')`.execute(tx);
  return gone.map(({ name }) => `user ${name} has gone from ${provider}`);
}

/** How a provider does. */
export interface ProviderState {
  /** What is wrong, in words. */
  readonly problem?: string;
  /** Its users cannot log in, and its groups are not read. */
  readonly away: boolean;
}

export async function noteProvider(
  tx: Tx,
  { name, kind }: { readonly name: string; readonly kind: string },
  { problem, away }: ProviderState,
): Promise<void> {
  await sql`insert into identity_providers (name, kind, problem, away) values (${name}, ${kind}, ${problem ?? null}, ${away})
    on conflict (name) do update set kind = excluded.kind, problem = excluded.problem, away = excluded.away,
      looked_at = now(), changed_at = case when identity_providers.away = excluded.away
        then identity_providers.changed_at else now() end`.execute(tx);
}
