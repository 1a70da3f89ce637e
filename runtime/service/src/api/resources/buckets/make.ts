import { randomUUID } from 'node:crypto';
import { DelosError } from '@delos/core';
import { sql } from 'kysely';
import type { BucketRow, Tx } from '../../../db/schema.ts';
import type { ApiDeps, Caller } from '../../deps.ts';
import { type OwnedProject, projectFor } from '../../project-for.ts';
import { stillUser } from '../../still-user.ts';
import type { BucketRequest } from './request.ts';
import type { BucketSettings } from './settings.ts';
import { makeBucket, removeBucket } from './storage.ts';

/** What a new bucket asks of its project. */
export interface BucketDemand {
  readonly project: OwnedProject;
  readonly perProject: number;
}

/**
 * Counts a new bucket against the most of its project. Requests of one project are judged one after another.
 * @throws DelosError ERR_QUOTA_EXCEEDED
 */
export async function checkBuckets(tx: Tx, { project: { org, name }, perProject }: BucketDemand): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtextextended(${`buckets of project ${org}/${name}`}, 0))`.execute(tx);
  const { rows } = await sql<{ held: number }>`
    select count(*)::int as held from buckets where org = ${org} and project = ${name}`.execute(tx);
  const held = rows[0]?.held ?? 0;
  if (held < perProject) return;
  throw new DelosError('ERR_QUOTA_EXCEEDED', `project ${org}/${name} has ${held} buckets, the most of one project`, {
    hint: 'remove some: apolo blob rmbucket BUCKET. The limit is buckets.perProject in delos.yaml',
  });
}

/**
 * Makes a bucket: its row comes first, so that none is in the storage that no row knows.
 * @throws DelosError with what to do; there is no bucket then
 */
export async function createBucket(
  { database }: Pick<ApiDeps, 'database'>,
  settings: BucketSettings,
  caller: Caller,
  request: BucketRequest,
): Promise<BucketRow> {
  const { id } = await database.tx(async (tx) => {
    await stillUser(tx, caller);
    const project = await projectFor(tx, { org: request.org_name, name: request.project_name }, caller);
    await checkBuckets(tx, { project, perProject: settings.perProject });
    const name = request.name ?? null;
    return tx
      .insertInto('buckets')
      .values({ id: `bucket-${randomUUID()}`, org: project.org, project: project.name, owner: caller.user, name })
      .returning('id')
      .executeTakeFirstOrThrow()
      .catch((error: unknown) => {
        throw nameTaken(error, name ?? '') ?? error;
      });
  });
  try {
    await makeBucket(settings, id);
  } catch (error) {
    // The storage may make it yet: the sweep takes both away. Its name is free at once.
    await database.db
      .updateTable('buckets')
      .set({ name: null })
      .where('id', '=', id)
      .where('phase', '=', 'making')
      .execute();
    throw error;
  }
  const made = await database.db
    .updateTable('buckets')
    .set({ phase: 'kept', phase_at: new Date() })
    .where('id', '=', id)
    .where('phase', '=', 'making')
    .returningAll()
    .executeTakeFirst();
  if (made !== undefined) return made;
  throw new DelosError('ERR_BUSY', 'the object storage took too long to make the bucket', { hint: 'try again' });
}

/**
 * Removes an empty bucket.
 * @throws DelosError ERR_CONFLICT where it is not empty
 */
export async function dropBucket(
  { database: { db } }: Pick<ApiDeps, 'database'>,
  settings: BucketSettings,
  { id, name }: Pick<BucketRow, 'id' | 'name'>,
): Promise<void> {
  const phase = (to: 'kept' | 'removing') =>
    db.updateTable('buckets').set({ phase: to, phase_at: new Date() }).where('id', '=', id).execute();
  await phase('removing');
  const outcome = await removeBucket(settings, id);
  if (outcome === 'removed') {
    await db.deleteFrom('buckets').where('id', '=', id).execute();
    return;
  }
  await phase('kept');
  throw new DelosError('ERR_CONFLICT', `bucket ${JSON.stringify(name ?? id)} is not empty`, {
    hint: `apolo blob rmbucket --force ${name ?? id} removes it with all that is in it`,
  });
}

/** The refusal of a name that a bucket of the project has; undefined for other errors. */
export function nameTaken(error: unknown, name: string): DelosError | undefined {
  const unique = error instanceof Error && 'constraint' in error && error.constraint === 'buckets_name';
  if (!unique) return undefined;
  return new DelosError('ERR_CONFLICT', `this project has a bucket named ${JSON.stringify(name)} already`, {
    hint: `choose another name, or remove it: apolo blob rmbucket ${name}`,
  });
}
