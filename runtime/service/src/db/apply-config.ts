import { DelosError, PLAIN_SHARE, type PlatformConfig, projectNamespace, providersOf, shareOf } from '@delos/core';
import { sql } from 'kysely';
import { CONFIG_CHANGED } from './notifications.ts';
import type { Schema, Tx } from './schema.ts';
import { applyUsers } from './users.ts';

/**
 * Makes users, organizations, projects, members and the cluster what the configuration says. What vanished from it goes where
 * nothing refers to it; where something of it is left ({@link KEEPS_PROJECT}), it is retired: it takes nothing new, is guaranteed nothing, and its jobs
 * keep their history.
 */
export async function applyConfig(tx: Tx, config: PlatformConfig, cluster: string): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtext('delos apply config'))`.execute(tx);
  for (const [position, org] of config.organizations.entries()) {
    await tx
      .insertInto('organizations')
      .values({
        name: org.name,
        quota: JSON.stringify(org.quota),
        share: JSON.stringify(shareOf(org)),
        retired: false,
        position,
      })
      .onConflict((on) =>
        on.column('name').doUpdateSet({
          quota: (row) => row.ref('excluded.quota'),
          share: (row) => row.ref('excluded.share'),
          retired: false,
          position,
        }),
      )
      .execute();
    for (const [place, project] of org.projects.entries()) {
      await tx
        .insertInto('projects')
        .values({
          org: org.name,
          name: project.name,
          quota: JSON.stringify(project.quota),
          share: JSON.stringify(shareOf(project)),
          privileged: project.privileged,
          namespace: projectNamespace(org.name, project.name),
          retired: false,
          position: place,
        })
        .onConflict((on) =>
          on.columns(['org', 'name']).doUpdateSet({
            quota: (row) => row.ref('excluded.quota'),
            share: (row) => row.ref('excluded.share'),
            privileged: (row) => row.ref('excluded.privileged'),
            retired: false,
            retired_at: null,
            position: place,
          }),
        )
        .execute();
    }
  }
  const providers = providersOf(config.identity).map(({ settings: { name } }) => name);
  await applyUsers(tx, [{ name: config.admin.user }, ...config.users], providers);
  await replaceMembers(tx, config, providers);
  await retireVanished(tx, config);
  await refuseJoinedName(tx, cluster);
  await tx
    .insertInto('clusters')
    .values({
      name: cluster,
      pools: JSON.stringify(config.nodePools),
      presets: JSON.stringify(config.presets),
      scheduling: JSON.stringify(config.scheduling),
    })
    .onConflict((on) =>
      on.column('name').doUpdateSet({
        pools: (row) => row.ref('excluded.pools'),
        presets: (row) => row.ref('excluded.presets'),
        scheduling: (row) => row.ref('excluded.scheduling'),
      }),
    )
    .execute();
  await sql`select pg_notify(${CONFIG_CHANGED}, ${cluster})`.execute(tx);
}

/** The platform's own cluster has a name of its own. @throws DelosError ERR_CONFIG_VALUE */
async function refuseJoinedName(tx: Tx, name: string): Promise<void> {
  const joined = await tx
    .selectFrom('clusters')
    .select('name')
    .where('name', '=', name)
    .where('joined_at', 'is not', null)
    .executeTakeFirst();
  if (joined === undefined) return;
  throw new DelosError('ERR_CONFIG_VALUE', `a cluster that has joined is called ${name}`, {
    where: { field: 'cluster.name' },
    hint: 'choose another name',
  });
}

/** Those that follow from a provider's groups stay, but where delos.yaml says something itself. */
async function replaceMembers(tx: Tx, config: PlatformConfig, providers: readonly string[]): Promise<void> {
  const members = config.organizations.flatMap((org) =>
    org.projects.flatMap((project) => {
      const members = new Map(project.members.map((member) => [member.user, member]));
      const admin = config.admin.user;
      members.set(admin, { ...PLAIN_SHARE, ...members.get(admin), user: admin, role: 'admin' });
      return [...members.values()].map((member) => ({
        org: org.name,
        project: project.name,
        user_name: member.user,
        role: member.role,
        share: JSON.stringify(shareOf(member)),
      }));
    }),
  );
  const declared = members.map(({ org, project, user_name }) => `${org}/${project}/${user_name}`);
  const projects = [...new Set(members.map(({ org, project }) => `${org}/${project}`))];
  await sql`delete from members where provider is null or provider <> all (${providers}::text[])
    or org || '/' || project || '/' || user_name = any (${declared}::text[])
    or org || '/' || project <> all (${projects}::text[])
    or not exists (select from users u
      where u.name = user_name and u.removed_at is null and u.provider = members.provider)`.execute(tx);
  await sql`delete from identity_providers where name <> all (${providers}::text[])`.execute(tx);
  if (members.length > 0) await tx.insertInto('members').values(members).execute();
}

/** Tables whose rows keep the project that they are of: what is in it outlives its place in the configuration. */
export const KEEPS_PROJECT = ['jobs', 'disks', 'buckets', 'secrets'] as const satisfies readonly (keyof Schema)[];

async function retireVanished(tx: Tx, config: PlatformConfig): Promise<void> {
  const kept = config.organizations.flatMap((org) => org.projects.map((project) => `${org.name}/${project.name}`));
  const orgs = config.organizations.map((org) => org.name);
  const plain = JSON.stringify(PLAIN_SHARE);
  await sql`update projects set retired = true, retired_at = coalesce(retired_at, now()), share = ${plain}::jsonb
    where org || '/' || name <> all (${kept}::text[])`.execute(tx);
  const unused = KEEPS_PROJECT.map(
    (table) => sql`not exists (select from ${sql.table(table)} t where t.org = p.org and t.project = p.name)`,
  );
  await sql`delete from projects p where retired and ${sql.join(unused, sql` and `)}`.execute(tx);
  await sql`update organizations set retired = true, share = ${plain}::jsonb
    where name <> all (${orgs}::text[])`.execute(tx);
  await sql`delete from organizations o where retired
    and not exists (select from projects p where p.org = o.name)`.execute(tx);
}
