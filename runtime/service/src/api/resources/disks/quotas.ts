import { DelosError, type DiskSettings } from '@delos/core';
import { sql } from 'kysely';
import type { Tx } from '../../../db/schema.ts';
import type { OwnedProject } from '../../project-for.ts';
import { sizeText } from './size-text.ts';

/** What a new disk asks of its project. */
export interface DiskDemand {
  /** A quota is of one cluster: each has it anew. */
  readonly cluster: string;
  readonly project: OwnedProject;
  /** Bytes. */
  readonly storage: number;
  readonly settings: DiskSettings;
}

interface Held {
  readonly project: number;
  readonly org: number;
  readonly disks: number;
  /** What disks that are being removed still hold, of the project and of the organization. */
  readonly projectLeaving: number;
  readonly orgLeaving: number;
}

/**
 * Counts a new disk against the quotas of its project and organization, and against the number of disks. Requests of one
 * organization are judged one after another, so that many at once do not pass together. A disk counts until its claim is gone.
 * @throws DelosError ERR_QUOTA_EXCEEDED
 */
export async function checkDiskQuotas(tx: Tx, { cluster, project, storage, settings }: DiskDemand): Promise<void> {
  const { org, name } = project;
  await sql`select pg_advisory_xact_lock(hashtextextended(${`disks of organization ${org}`}, 0))`.execute(tx);
  const { rows } = await sql<Held>`
    select coalesce(sum(storage) filter (where project = ${name}), 0)::bigint as project,
      coalesce(sum(storage), 0)::bigint as org,
      count(*) filter (where project = ${name})::int as disks,
      coalesce(sum(storage) filter (where project = ${name} and phase <> 'kept'), 0)::bigint as "projectLeaving",
      coalesce(sum(storage) filter (where phase <> 'kept'), 0)::bigint as "orgLeaving"
    from disks where cluster = ${cluster} and org = ${org}`.execute(tx);
  const held = rows[0] ?? { project: 0, org: 0, disks: 0, projectLeaving: 0, orgLeaving: 0 };
  if (held.disks >= settings.perProject) {
    throw new DelosError(
      'ERR_QUOTA_EXCEEDED',
      `project ${org}/${name} has ${held.disks} disks, the most of one project`,
      {
        hint: 'remove some: apolo disk ls, apolo disk rm DISK. The limit is disks.perProject in delos.yaml',
      },
    );
  }
  for (const { who, used, going, limit } of [
    { who: `project ${org}/${name}`, used: held.project, going: held.projectLeaving, limit: project.quota.disks },
    { who: `organization ${org}`, used: held.org, going: held.orgLeaving, limit: project.org_quota.disks },
  ]) {
    if (limit === undefined || used + storage <= limit) continue;
    const leaving = going === 0 ? '' : ` (${sizeText(going)} of them are being removed)`;
    throw new DelosError(
      'ERR_QUOTA_EXCEEDED',
      `${who} has disks of ${sizeText(used)}${leaving}, this one asks for ${sizeText(storage)}, and the quota is ${sizeText(limit)}`,
      {
        where: { field: 'storage' },
        hint: 'remove a disk that is not needed, or ask the administrator to raise quota.disks in delos.yaml',
      },
    );
  }
}
