import type { ApiDeps } from '../../deps.ts';
import { endUnfounded } from './credentials.ts';
import { dropBucket } from './make.ts';
import { applyPolicy } from './policy.ts';
import type { BucketSettings } from './settings.ts';
import { removeBucket } from './storage.ts';

/** The request that makes or removes a bucket also settles it. After this time that request has gone, and the sweep settles it. */
const SETTLED_MS = 60_000;
/** Rights of users are looked at so often. */
const RIGHTS_MS = 60_000;
/** Most buckets that one sweep looks at. */
const SWEPT = 100;

let lookedAt = 0;

/** Goes on with what was cut off, and ends credentials whose user has lost the right. May be done twice, and by several at once. */
export async function sweepBuckets(deps: ApiDeps, settings: BucketSettings): Promise<void> {
  const { database, log } = deps;
  if (Date.now() - lookedAt >= RIGHTS_MS) {
    lookedAt = Date.now();
    const ended = await endUnfounded(deps);
    if (ended.length > 0) log.info({ ended }, 'credentials for buckets ended with the rights of their users');
  }
  const rows = await database.db
    .selectFrom('buckets')
    .selectAll()
    .where((eb) => eb.or([eb('policy_due', '=', true), eb('phase', '<>', 'kept')]))
    .orderBy('phase_at')
    .limit(SWEPT)
    .execute();
  for (const row of rows) {
    if (row.phase === 'kept') {
      await applyPolicy(database, settings, row.id);
      continue;
    }
    if (Date.now() - row.phase_at.getTime() < SETTLED_MS) continue;
    if (row.phase === 'removing') {
      await dropBucket(deps, settings, row).catch((error: unknown) => log.info({ bucket: row.id, error }, 'kept'));
      continue;
    }
    // First the row's state: who makes it still, and finds no row of that state, says so.
    await removeBucket(settings, row.id);
    await database.db.deleteFrom('buckets').where('id', '=', row.id).where('phase', '=', 'making').execute();
    log.info({ bucket: row.id }, 'the making of a bucket was broken off');
  }
}
