import { randomUUID } from 'node:crypto';
import { DelosError, keptAccessKey, keptSecret, OBJECT_PATH } from '@delos/core';
import { sql } from 'kysely';
import type { BucketCredentialRow, Db, Tx } from '../../../db/schema.ts';
import { urisOf } from '../../authorization/grants.ts';
import type { ApiDeps, Caller } from '../../deps.ts';
import { mayDo } from '../../rights.ts';
import { stillUser } from '../../still-user.ts';
import { findBucket } from './find.ts';
import { isImported } from './imports.ts';
import { accessJson, credentialJson } from './json.ts';
import { applyPolicy, MOST_CREDENTIALS } from './policy.ts';
import type { CredentialRequest } from './request.ts';
import { type BucketSettings, REGION, signingKeys } from './settings.ts';

/** Most credentials that do not end, of one user. */
const MOST_OF_USER = 100;

type Deps = Pick<ApiDeps, 'database' | 'settings'>;

/**
 * Makes a credential that does not end. It lasts as long as its user may do in each of its buckets what it allows.
 * @throws DelosError with what to do; there is no credential then
 */
export async function makeCredential(
  deps: Deps,
  settings: BucketSettings,
  caller: Caller,
  request: CredentialRequest,
): Promise<BucketCredentialRow> {
  const right = request.read_only ? 'read' : 'write';
  const found = await Promise.all(request.bucket_ids.map((bucket) => findBucket(deps, caller, bucket, right)));
  const imported = found.find(isImported);
  if (imported !== undefined) {
    throw new DelosError(
      'ERR_REQUEST',
      `bucket ${imported.name ?? imported.id} is imported: its provider makes its credentials`,
      {
        where: { field: 'bucket_ids' },
        hint: `apolo blob statbucket ${imported.name ?? imported.id} shows those that it was imported with`,
      },
    );
  }
  const buckets = [...new Set(found.map(({ id }) => id))].sort();
  const row = await deps.database.tx(async (tx) => {
    await stillUser(tx, caller);
    await holdBuckets(tx, buckets);
    await checkNumbers(tx, caller, buckets);
    const made = await tx
      .insertInto('bucket_credentials')
      .values({
        id: `bucket-credentials-${randomUUID()}`,
        user_id: caller.id,
        owner: caller.user,
        name: request.name ?? null,
        read_only: request.read_only,
        access_key: keptAccessKey(signingKeys(settings)[0]),
      })
      .returningAll()
      .executeTakeFirstOrThrow()
      .catch((error: unknown) => {
        throw nameTaken(error, request.name ?? '') ?? error;
      });
    await tx
      .insertInto('bucket_credential_buckets')
      .values(buckets.map((bucket) => ({ credential: made.id, bucket })))
      .execute();
    await tx.updateTable('buckets').set({ policy_due: true }).where('id', 'in', buckets).execute();
    return made;
  });
  try {
    for (const bucket of buckets) await applyPolicy(deps.database, settings, bucket);
  } catch (error) {
    // Its policies are due, and are set without it.
    await deps.database.tx((tx) => forget(tx, row.id)).catch(() => undefined);
    throw error;
  }
  return row;
}

/** Ends a credential. @throws DelosError ERR_BUSY where the storage takes it only later: it ends then */
export async function endCredential({ database }: Deps, settings: BucketSettings, id: string): Promise<void> {
  const buckets = await database.tx((tx) => forget(tx, id));
  for (const bucket of buckets) await applyPolicy(database, settings, bucket);
}

async function forget(tx: Tx, id: string): Promise<readonly string[]> {
  const { rows } = await sql<{ id: string }>`
    update buckets set policy_due = true
    where id in (select bucket from bucket_credential_buckets where credential = ${id}) returning id`.execute(tx);
  await tx.deleteFrom('bucket_credentials').where('id', '=', id).execute();
  return rows.map((row) => row.id);
}

/**
 * A credential by id or name; of one's own alone, but for the administrator, who finds each by its id.
 * @throws DelosError ERR_NOT_FOUND
 */
export async function findCredential(db: Db, caller: Caller, idOrName: string): Promise<BucketCredentialRow> {
  const row = await db
    .selectFrom('bucket_credentials')
    .selectAll()
    .where((eb) => eb.or([eb('id', '=', idOrName), eb.and([eb('name', '=', idOrName), eb('user_id', '=', caller.id)])]))
    .executeTakeFirst();
  if (row !== undefined && (row.user_id === caller.id || caller.admin)) return row;
  throw new DelosError('ERR_NOT_FOUND', `there is no bucket credential ${JSON.stringify(idOrName)}`, {
    hint: 'apolo blob lscredentials lists yours',
  });
}

/** The caller's own. */
export const listCredentials = (db: Db, caller: Caller): Promise<readonly BucketCredentialRow[]> =>
  db.selectFrom('bucket_credentials').selectAll().where('user_id', '=', caller.id).orderBy('id').execute();

/** Credentials as the client reads them, with their secrets. */
export async function shown(
  { database, settings: { publicUrl } }: Deps,
  settings: BucketSettings,
  rows: readonly BucketCredentialRow[],
): Promise<readonly Record<string, unknown>[]> {
  const links = await database.db
    .selectFrom('bucket_credential_buckets')
    .selectAll()
    .where('credential', 'in', ['', ...rows.map(({ id }) => id)])
    .orderBy('bucket')
    .execute();
  const buckets = Map.groupBy(links, ({ credential }) => credential);
  const keys = signingKeys(settings);
  return rows.map((row) => {
    const secretKey = keptSecret(keys, row.access_key);
    // One that a key signed that is there no more opens nothing.
    const reached = secretKey === undefined ? [] : (buckets.get(row.id) ?? []);
    return credentialJson(
      row,
      reached.map(({ bucket }) =>
        accessJson({
          bucket,
          endpoint: publicUrl + OBJECT_PATH,
          region: REGION,
          accessKey: row.access_key,
          secretKey: secretKey ?? '',
        }),
      ),
    );
  });
}

/** Takes from credentials the buckets in which their user may not do any more what they allow. */
export async function endUnfounded(
  deps: Pick<ApiDeps, 'database' | 'callerById' | 'settings'>,
): Promise<readonly string[]> {
  const { rows } = await sql<{
    credential: string;
    bucket: string;
    user_id: number;
    read_only: boolean;
    org: string;
    project: string;
    name: string | null;
  }>`
    select l.credential, l.bucket, c.user_id, c.read_only, b.org, b.project, b.name from bucket_credential_buckets l
    join bucket_credentials c on c.id = l.credential join buckets b on b.id = l.bucket order by c.user_id`.execute(
    deps.database.db,
  );
  const ended: string[] = [];
  for (const [user, links] of Map.groupBy(rows, (row) => row.user_id)) {
    const caller = await deps.callerById(user).catch((error: unknown) => {
      if (error instanceof DelosError && error.code === 'ERR_UNAUTHENTICATED') return undefined;
      throw error;
    });
    for (const { credential, bucket, read_only: readOnly, org, project, name } of links) {
      const uris = urisOf('blob', deps.settings.cluster, { org, project, id: bucket, name });
      if (caller !== undefined && mayDo(caller, { org, project }, readOnly ? 'read' : 'write', uris)) continue;
      await deps.database.tx(async (tx) => {
        await tx.updateTable('buckets').set({ policy_due: true }).where('id', '=', bucket).execute();
        await tx
          .deleteFrom('bucket_credential_buckets')
          .where('credential', '=', credential)
          .where('bucket', '=', bucket)
          .execute();
      });
      ended.push(`${credential} at ${bucket}`);
    }
  }
  return ended;
}

/** In one order for all, so that two requests never wait for each other; none is removed until the credential is written. */
async function holdBuckets(tx: Tx, buckets: readonly string[]): Promise<void> {
  const held = await tx
    .selectFrom('buckets')
    .select('id')
    .where('id', 'in', buckets)
    .orderBy('id')
    .forUpdate()
    .execute();
  if (held.length < buckets.length) throw new DelosError('ERR_NOT_FOUND', 'a bucket was removed just now');
}

async function checkNumbers(tx: Tx, caller: Caller, buckets: readonly string[]): Promise<void> {
  const { rows } = await sql<{ own: number; fullest: number }>`
    select (select count(*)::int from bucket_credentials where user_id = ${caller.id}) as own,
      (select coalesce(max(held), 0) from (select count(*)::int as held from bucket_credential_buckets
        where bucket = any (${buckets}::text[]) group by bucket) as each) as fullest`.execute(tx);
  const { own = 0, fullest = 0 } = rows[0] ?? {};
  const most = own >= MOST_OF_USER ? MOST_OF_USER : MOST_CREDENTIALS;
  if (own < MOST_OF_USER && fullest < MOST_CREDENTIALS) return;
  const whose = own >= MOST_OF_USER ? 'you have' : 'a bucket of these has';
  throw new DelosError('ERR_QUOTA_EXCEEDED', `${whose} ${most} credentials already, which is the most`, {
    hint: 'remove some: apolo blob lscredentials, apolo blob rmcredentials CREDENTIAL',
  });
}

function nameTaken(error: unknown, name: string): DelosError | undefined {
  const unique = error instanceof Error && 'constraint' in error && error.constraint === 'bucket_credentials_name';
  if (!unique) return undefined;
  return new DelosError('ERR_CONFLICT', `you have a bucket credential named ${JSON.stringify(name)} already`, {
    hint: `choose another name, or remove it: apolo blob rmcredentials ${name}`,
  });
}
