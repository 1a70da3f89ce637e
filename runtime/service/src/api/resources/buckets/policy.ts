import { DelosError } from '@delos/core';
import { sql } from 'kysely';
import type { Database } from '../../../db/database.ts';
import type { BucketRow } from '../../../db/schema.ts';
import type { ApiDeps } from '../../deps.ts';
import type { BucketSettings } from './settings.ts';
import { setPolicy } from './storage.ts';

/** Most credentials that do not end, of one bucket: their names fit into the policy of a bucket, which is an attribute of a file. */
export const MOST_CREDENTIALS = 25;

const READ = ['s3:GetObject'];
const LIST = ['s3:ListBucket', 's3:GetBucketLocation'];
const WRITE = ['s3:PutObject', 's3:DeleteObject', 's3:AbortMultipartUpload', 's3:ListMultipartUploadParts'];

interface Access {
  readonly public: boolean;
  readonly readers: readonly string[];
  readonly writers: readonly string[];
}

/**
 * The policy of a bucket, as S3 has it. Everybody may read objects of a public one, by their names: it is not listed.
 * @returns undefined where nobody is allowed anything
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-policies.html
 */
export function policyOf(bucket: string, { public: open, readers, writers }: Access): string | undefined {
  const allow = (who: readonly string[] | '*', actions: readonly string[], below: string) =>
    who.length === 0
      ? []
      : [
          {
            Effect: 'Allow',
            Principal: who === '*' ? who : { AWS: who },
            Action: actions,
            Resource: `arn:aws:s3:::${bucket}${below}`,
          },
        ];
  const statements = [
    ...allow(open ? '*' : [], READ, '/*'),
    ...allow(readers, READ, '/*'),
    ...allow(writers, [...READ, ...WRITE], '/*'),
    ...allow([...readers, ...writers], LIST, ''),
  ];
  return statements.length === 0 ? undefined : JSON.stringify({ Version: '2012-10-17', Statement: statements });
}

/**
 * Gives the storage the policy that follows from rows now. Two that do it at once do it one after the other.
 * @throws DelosError ERR_BUSY where the storage does not take it; it is still due then
 */
export async function applyPolicy(database: Database, settings: BucketSettings, bucket: string): Promise<void> {
  await database.tx(async (tx) => {
    const row = await tx.selectFrom('buckets').selectAll().where('id', '=', bucket).forUpdate().executeTakeFirst();
    if (row === undefined || row.phase === 'making' || !row.policy_due) return;
    const { rows } = await sql<{ access_key: string; read_only: boolean }>`
      select c.access_key, c.read_only from bucket_credential_buckets l join bucket_credentials c on c.id = l.credential
      where l.bucket = ${bucket} order by c.access_key`.execute(tx);
    const keysOf = (readOnly: boolean) =>
      rows.filter((each) => each.read_only === readOnly).map((each) => each.access_key);
    await setPolicy(
      settings,
      bucket,
      policyOf(bucket, { public: row.public, readers: keysOf(true), writers: keysOf(false) }),
    );
    await tx.updateTable('buckets').set({ policy_due: false }).where('id', '=', bucket).execute();
  });
}

/**
 * Lets everybody read the objects of a bucket, or its project alone.
 * @throws DelosError ERR_BUSY where the storage does not take it: it stays private then, or becomes so later
 */
export async function publish(
  { database }: Pick<ApiDeps, 'database'>,
  settings: BucketSettings,
  id: string,
  open: boolean,
): Promise<BucketRow> {
  const set = (to: boolean) =>
    database.db
      .updateTable('buckets')
      .set({ public: to, policy_due: true })
      .where('id', '=', id)
      .returningAll()
      .executeTakeFirst();
  const row = await set(open);
  if (row === undefined) throw new DelosError('ERR_NOT_FOUND', 'the bucket was removed just now');
  try {
    await applyPolicy(database, settings, id);
  } catch (error) {
    // Whoever was told that it failed must not find it open later.
    await set(false).catch(() => undefined);
    throw error;
  }
  return row;
}
