import { isDeepStrictEqual } from 'node:util';
import { DelosError, PLAIN_SHARE, type PlatformConfig, shareOf } from '@delos/core';
import type { Tx } from '../schema.ts';

/*
 * What delos.yaml names and administrators had made before. Where both say the same, it is the file's from now on. Where they
 * differ, nothing is overwritten before the difference was shown, and `adopt` of delos.yaml says that the file is right.
 */

interface Difference {
  /** As `adopt` names it. */
  readonly what: string;
  readonly made: string;
  readonly declared: string;
}

/** @throws DelosError ERR_CONFIG_VALUE telling each difference that `adopt` does not name */
export async function checkAdoption(tx: Tx, config: PlatformConfig, cluster: string): Promise<void> {
  const found = [
    ...(await organizations(tx, config)),
    ...(await projects(tx, config)),
    ...(await members(tx, config)),
    ...(await presets(tx, config, cluster)),
  ].filter(({ what }) => !config.adopt.includes(what));
  if (found.length === 0) return;
  const told = found.map(({ what, made, declared }) => `${what} has ${made}, and delos.yaml says ${declared}`);
  throw new DelosError(
    'ERR_CONFIG_VALUE',
    `made while the platform ran, and not as delos.yaml says it: ${told.join('; ')}`,
    {
      where: { field: 'adopt' },
      hint: `nothing was changed. Write it into delos.yaml as it is (delos export-config shows it), or let the file take over: adopt: [${found.map(({ what }) => what).join(', ')}]`,
    },
  );
}

/** As it is kept: a key that is undefined is none. */
const kept = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

function difference(
  what: string,
  made: Readonly<Record<string, unknown>>,
  declared: typeof made,
): readonly Difference[] {
  const keys = Object.keys(declared).filter((key) => !isDeepStrictEqual(kept(made[key]), kept(declared[key])));
  if (keys.length === 0) return [];
  const shown = (of: typeof made): string => keys.map((key) => `${key} ${JSON.stringify(of[key])}`).join(', ');
  return [{ what, made: shown(made), declared: shown(declared) }];
}

async function organizations(tx: Tx, config: PlatformConfig): Promise<readonly Difference[]> {
  const rows = await tx
    .selectFrom('organizations')
    .selectAll()
    .where('declared', '=', false)
    .where('retired', '=', false)
    .execute();
  return rows.flatMap(({ name, quota, share }) => {
    const declared = config.organizations.find((org) => org.name === name);
    if (declared === undefined) return [];
    return difference(`organization ${name}`, { quota, share }, { quota: declared.quota, share: shareOf(declared) });
  });
}

async function projects(tx: Tx, config: PlatformConfig): Promise<readonly Difference[]> {
  const rows = await tx
    .selectFrom('projects')
    .selectAll()
    .where('declared', '=', false)
    .where('retired', '=', false)
    .execute();
  return rows.flatMap(({ org, name, quota, share, privileged }) => {
    const declared = config.organizations
      .find((each) => each.name === org)
      ?.projects.find((each) => each.name === name);
    if (declared === undefined) return [];
    return difference(
      `project ${org}/${name}`,
      { quota, share, privileged },
      { quota: declared.quota, share: shareOf(declared), privileged: declared.privileged },
    );
  });
}

async function members(tx: Tx, config: PlatformConfig): Promise<readonly Difference[]> {
  const ofProjects = await tx.selectFrom('members').selectAll().where('declared', '=', false).execute();
  const ofOrgs = await tx.selectFrom('org_members').selectAll().where('declared', '=', false).execute();
  const limited = await tx.selectFrom('person_quotas').selectAll().where('declared', '=', false).execute();
  const orgOf = (name: string) => config.organizations.find((each) => each.name === name);
  return [
    ...ofProjects.flatMap(({ org, project, user_name: user, role, share }) => {
      const declared = orgOf(org)
        ?.projects.find((each) => each.name === project)
        ?.members.find((each) => each.user === user);
      if (declared === undefined) return [];
      const shares = { made: share ?? PLAIN_SHARE, declared: shareOf(declared) };
      return difference(
        `member ${org}/${project} ${user}`,
        { role, share: shares.made },
        { role: declared.role, share: shares.declared },
      );
    }),
    ...ofOrgs.flatMap(({ org, user_name: user, role }) => {
      const declared = orgOf(org)?.members.find((each) => each.user === user);
      return declared === undefined ? [] : difference(`member ${org} ${user}`, { role }, { role: declared.role });
    }),
    ...limited.flatMap(({ org, user_name: user, quota }) => {
      const declared = orgOf(org)?.members.find((each) => each.user === user)?.quota;
      return declared === undefined ? [] : difference(`quota ${org} ${user}`, { quota }, { quota: declared });
    }),
  ];
}

async function presets(tx: Tx, config: PlatformConfig, cluster: string): Promise<readonly Difference[]> {
  const row = await tx.selectFrom('clusters').select('made_presets').where('name', '=', cluster).executeTakeFirst();
  return (row?.made_presets ?? []).flatMap((made) => {
    const declared = config.presets.find(({ name }) => name === made.name);
    return declared === undefined ? [] : difference(`preset ${made.name}`, { ...made }, { ...declared });
  });
}
