import { DelosError, type DiskMount } from '@delos/core';
import { z } from 'zod';
import type { DiskRow, Tx } from '../../../db/schema.ts';
import type { Caller } from '../../deps.ts';
import type { OwnedProject } from '../../project-for.ts';
import { isAllowed } from '../../rights.ts';

const MOST_MOUNTS = 16;

const place = z
  .string()
  .max(1024)
  .regex(/^\/[^:]*$/, 'expected an absolute path in the container, without a colon')
  .refine((path) => !path.split('/').includes('..'), 'must not contain ..')
  .transform((path) => path.replace(/\/+/g, '/').replace(/\/$/, ''))
  .refine(
    (path) => path !== '',
    'a disk cannot take the place of the image’s root folder: mount it below, at /data say',
  )
  .refine((path) => !/^\/(proc|sys|dev)(\/|$)/.test(path), 'the kernel’s own folders cannot be hidden by a disk');

/** `disk_volumes` of a request for a job. */
export const diskVolumes = z
  .array(z.object({ src_disk_uri: z.string().max(512), dst_path: place, read_only: z.boolean().default(false) }))
  .max(MOST_MOUNTS, `a job mounts at most ${MOST_MOUNTS} disks`)
  .superRefine((mounts, context) => {
    const seen = new Set<string>();
    for (const [index, { dst_path: path }] of mounts.entries()) {
      if (seen.has(path)) {
        context.addIssue({
          code: 'custom',
          path: [index, 'dst_path'],
          message: `${path} is the place of another disk`,
        });
      }
      seen.add(path);
    }
  });
export type DiskVolumes = z.infer<typeof diskVolumes>;

export interface MountContext {
  readonly cluster: string;
  readonly caller: Caller;
  /** The job's. */
  readonly project: OwnedProject;
  /** Of the request. */
  readonly field: string;
}

/**
 * The disks that a new job asks for. They are held until the transaction ends, so that none is removed meanwhile.
 * @throws DelosError ERR_REQUEST naming the entry: no such disk, of another project, being removed, broken
 */
export async function mountsFor(tx: Tx, volumes: DiskVolumes, context: MountContext): Promise<readonly DiskMount[]> {
  const mounts: (DiskMount & Where)[] = [];
  for (const [index, { src_disk_uri: uri, dst_path: path, read_only: readOnly }] of volumes.entries()) {
    const field = `${context.field}.${index}.src_disk_uri`;
    mounts.push({ disk: await idOf(tx, uri, { field }, context), path, readOnly, field });
  }
  // In one order for all, so that two requests never wait for each other.
  const ids = [...new Set(mounts.map(({ disk }) => disk))].sort();
  const rows = await tx
    .selectFrom('disks')
    .selectAll()
    .where('id', 'in', ids.length === 0 ? [''] : ids)
    .orderBy('id')
    .forUpdate()
    .execute();
  const held = new Map(rows.map((row) => [row.id, row]));
  for (const { disk, field } of mounts) {
    const row = held.get(disk);
    if (row === undefined) throw refusal('that disk was removed just now', { field });
    checkMount(row, { field }, context);
  }
  return mounts.map(({ disk, path, readOnly }) => ({ disk, path, readOnly }));
}

/** Writes down that a job has these disks, until it is gone. */
export async function holdDisks(tx: Tx, job: string, mounts: readonly DiskMount[]): Promise<void> {
  const byDisk = Map.groupBy(mounts, ({ disk }) => disk);
  const rows = [...byDisk].map(([disk, all]) => ({ job, disk, read_only: all.every(({ readOnly }) => readOnly) }));
  if (rows.length === 0) return;
  await tx.insertInto('job_disks').values(rows).execute();
  const ids = rows.map(({ disk }) => disk);
  await tx.updateTable('disks').set({ last_used_at: new Date() }).where('id', 'in', ids).execute();
}

type Where = { readonly field: string };

function refusal(message: string, where: Where, hint = 'take another disk'): DelosError {
  return new DelosError('ERR_REQUEST', message, { where, hint });
}

/** @throws DelosError ERR_REQUEST where there is none that the caller may see */
async function idOf(tx: Tx, uri: string, where: Where, { cluster, caller, project }: MountContext): Promise<string> {
  const named = parseUri(uri, where);
  if (named.cluster !== cluster) {
    throw refusal(
      `there is no cluster ${JSON.stringify(named.cluster)}; this one is ${cluster}`,
      where,
      'disk:NAME is enough',
    );
  }
  const found = await tx
    .selectFrom('disks')
    .select(['id', 'org', 'project'])
    .where('cluster', '=', cluster)
    .where('phase', '<>', 'removing')
    .$if(named.isId, (query) => query.where('id', '=', named.name))
    .$if(!named.isId, (query) =>
      query
        .where('name', '=', named.name)
        .where('org', '=', named.org ?? project.org)
        .where('project', '=', named.project),
    )
    // One that is marked may have a successor of its name.
    .orderBy((eb) => eb('phase', '=', 'kept'), 'desc')
    .limit(1)
    .executeTakeFirst();
  const role = found === undefined ? undefined : caller.roles.get(`${found.org}/${found.project}`);
  if (found !== undefined && isAllowed(caller, role, 'read')) return found.id;
  throw refusal(
    `there is no disk ${JSON.stringify(named.name)}`,
    where,
    'apolo disk ls lists the disks of your project; apolo disk create makes one',
  );
}

function checkMount(disk: DiskRow, where: Where, { project }: MountContext): void {
  const called = `disk ${JSON.stringify(disk.name ?? disk.id)}`;
  if (disk.org !== project.org || disk.project !== project.name) {
    throw refusal(
      `${called} belongs to project ${disk.org}/${disk.project}, and a job mounts disks of its own project alone`,
      where,
      'run the job in that project: --project NAME',
    );
  }
  if (disk.phase !== 'kept') throw refusal(`${called} is being removed: no further job may mount it`, where);
  if (disk.status === 'broken') {
    throw refusal(`${called} is broken: ${disk.description ?? 'the cluster does not say why'}`, where);
  }
}

interface NamedDisk {
  readonly cluster: string;
  readonly org: string | undefined;
  readonly project: string;
  readonly name: string;
  readonly isId: boolean;
}

/** `disk://CLUSTER[/ORG]/PROJECT/ID-OR-NAME`. */
function parseUri(uri: string, where: Where): NamedDisk {
  const [, cluster = '', path = ''] = /^disk:\/\/([^/?#]+)\/([^?#]+)$/.exec(uri) ?? [];
  const parts = path.split('/');
  const name = parts.at(-1) ?? '';
  const project = parts.at(-2);
  if (parts.length < 2 || parts.length > 3 || project === undefined || parts.includes('')) {
    throw refusal('expected disk://CLUSTER/ORG/PROJECT/DISK', where, 'disk:NAME is enough');
  }
  const isId = /^disk-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(name);
  return { cluster, org: parts.length === 3 ? parts[0] : undefined, project, name, isId };
}
