import {
  DelosError,
  PLAIN_SHARE,
  type PlatformConfig,
  type Preset,
  projectNamespace,
  providersOf,
  shareOf,
} from '@delos/core';
import { sql } from 'kysely';
import { applyCredits } from './credits/terms.ts';
import { CONFIG_CHANGED } from './notifications.ts';
import type { Schema, Tx } from './schema.ts';
import { checkAdoption } from './tenancy/adopt.ts';
import { endGrantsOfRetired } from './tenancy/grants.ts';
import { applyUsers } from './users.ts';

/**
 * Makes users, organizations, projects, members and the cluster what the configuration says. What administrators made while the
 * platform ran stays, or is taken over (tenancy/adopt.ts). What vanished from the configuration goes where
 * nothing refers to it; where something of it is left ({@link KEEPS_PROJECT}), it is retired: it takes nothing new, is guaranteed
 * nothing, and its jobs keep their history.
 */
export async function applyConfig(tx: Tx, config: PlatformConfig, cluster: string): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtext('delos apply config'))`.execute(tx);
  await checkAdoption(tx, config, cluster);
  for (const [position, org] of config.organizations.entries()) {
    await tx
      .insertInto('organizations')
      .values({
        name: org.name,
        quota: JSON.stringify(org.quota),
        share: JSON.stringify(shareOf(org)),
        retired: false,
        declared: true,
        position,
      })
      .onConflict((on) =>
        on.column('name').doUpdateSet({
          quota: (row) => row.ref('excluded.quota'),
          share: (row) => row.ref('excluded.share'),
          retired: false,
          declared: true,
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
          declared: true,
          position: place,
        })
        .onConflict((on) =>
          on.columns(['org', 'name']).doUpdateSet({
            quota: (row) => row.ref('excluded.quota'),
            share: (row) => row.ref('excluded.share'),
            privileged: (row) => row.ref('excluded.privileged'),
            retired: false,
            retired_at: null,
            declared: true,
            position: place,
          }),
        )
        .execute();
    }
  }
  const providers = providersOf(config.identity).map(({ settings: { name } }) => name);
  await applyUsers(tx, [{ name: config.admin.user }, ...config.users], providers);
  await replaceMembers(tx, config, providers);
  await replaceOrgMembers(tx, config);
  await retireVanished(tx, config);
  await refuseJoinedName(tx, cluster);
  const made = await madePresets(tx, config, cluster);
  const presets = JSON.stringify([...config.presets, ...made]);
  await tx
    .insertInto('clusters')
    .values({
      name: cluster,
      pools: JSON.stringify(config.nodePools),
      presets,
      made_presets: JSON.stringify(made),
      scheduling: JSON.stringify(config.scheduling),
    })
    .onConflict((on) =>
      on.column('name').doUpdateSet({
        pools: (row) => row.ref('excluded.pools'),
        presets: (row) => row.ref('excluded.presets'),
        made_presets: (row) => row.ref('excluded.made_presets'),
        scheduling: (row) => row.ref('excluded.scheduling'),
      }),
    )
    .execute();
  await applyCredits(tx, config, cluster);
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
  await sql`delete from members where org || '/' || project || '/' || user_name = any (${declared}::text[])
    or declared and (provider is null or provider <> all (${providers}::text[])
      or org || '/' || project <> all (${projects}::text[])
      or not exists (select from users u
        where u.name = user_name and u.removed_at is null and u.provider = members.provider))
    or not declared and exists (select from projects p where p.org = members.org and p.name = members.project
        and p.declared and p.org || '/' || p.name <> all (${projects}::text[]))`.execute(tx);
  await sql`delete from identity_providers where name <> all (${providers}::text[])`.execute(tx);
  if (members.length > 0) await tx.insertInto('members').values(members).execute();
}

/** Tables whose rows keep the project that they are of: what is in it outlives its place in the configuration. */
export const KEEPS_PROJECT = ['jobs', 'disks', 'buckets', 'secrets'] as const satisfies readonly (keyof Schema)[];

/** Those that administrators added stay, but for people whom the file names; likewise the quotas of single people. */
async function replaceOrgMembers(tx: Tx, config: PlatformConfig): Promise<void> {
  const members = config.organizations.flatMap((org) =>
    org.members.map(({ user, role }) => ({ org: org.name, user_name: user, role, declared: true })),
  );
  const named = members.map(({ org, user_name: user }) => `${org}/${user}`);
  await sql`delete from org_members where declared or org || '/' || user_name = any (${named}::text[])`.execute(tx);
  if (members.length > 0) await tx.insertInto('org_members').values(members).execute();
  const quotas = config.organizations.flatMap((org) =>
    org.members.flatMap(({ user, quota }) =>
      quota === undefined
        ? []
        : [
            {
              org: org.name,
              user_name: user,
              quota: JSON.stringify({ runningJobs: quota.runningJobs }),
              declared: true as const,
            },
          ],
    ),
  );
  const limited = quotas.map(({ org, user_name: user }) => `${org}/${user}`);
  await sql`delete from person_quotas where declared or org || '/' || user_name = any (${limited}::text[])`.execute(tx);
  if (quotas.length > 0) await tx.insertInto('person_quotas').values(quotas).execute();
}

/** Presets that administrators made, and that the file does not name. */
async function madePresets(tx: Tx, config: PlatformConfig, cluster: string): Promise<readonly Preset[]> {
  const row = await tx.selectFrom('clusters').select('made_presets').where('name', '=', cluster).executeTakeFirst();
  return (row?.made_presets ?? []).filter(({ name }) => !config.presets.some((preset) => preset.name === name));
}

async function retireVanished(tx: Tx, config: PlatformConfig): Promise<void> {
  const kept = config.organizations.flatMap((org) => org.projects.map((project) => `${org.name}/${project.name}`));
  const orgs = config.organizations.map((org) => org.name);
  const plain = JSON.stringify(PLAIN_SHARE);
  await sql`update projects set retired = true, retired_at = coalesce(retired_at, now()), share = ${plain}::jsonb
    where declared and org || '/' || name <> all (${kept}::text[])`.execute(tx);
  await endGrantsOfRetired(tx);
  const unused = KEEPS_PROJECT.map(
    (table) => sql`not exists (select from ${sql.table(table)} t where t.org = p.org and t.project = p.name)`,
  );
  await sql`delete from projects p where retired and ${sql.join(unused, sql` and `)}`.execute(tx);
  // One that the file names no longer, and in which administrators made projects, is theirs from now on.
  await sql`update organizations set declared = false, share = ${plain}::jsonb
    where declared and name <> all (${orgs}::text[])
      and exists (select from projects p where p.org = organizations.name and not p.retired)`.execute(tx);
  await sql`update organizations set retired = true, share = ${plain}::jsonb
    where declared and name <> all (${orgs}::text[])`.execute(tx);
  await sql`delete from organizations o where retired
    and not exists (select from projects p where p.org = o.name)`.execute(tx);
}
