import { auditRecord, type Chained, type Checkpoint, checkpoint, FIELDS, OUTCOMES, openings } from '@delos/audit';
import { type SqlBool, sql } from 'kysely';
import { z } from 'zod';
import type { Db } from '../schema.ts';

const text = z.string().min(1).max(500);

/** Which records are wanted; all that is given must hold. */
export const auditFilter = z.object({
  actor: text.optional(),
  /** The verb, or its beginning: `job.` */
  act: text.optional(),
  /** A part of what it is about. */
  object: text.optional(),
  outcome: z.enum(OUTCOMES).optional(),
  from: z.iso.datetime().optional(),
  to: z.iso.datetime().optional(),
  /** Records behind this one. */
  after: z.coerce.number().int().min(0).default(0),
  limit: z.coerce.number().int().min(1).max(1_000).default(100),
});
export type AuditFilter = z.infer<typeof auditFilter>;

/** Records, the earliest first, each with what of it was not erased. */
export async function readAudit(db: Db, filter: AuditFilter): Promise<readonly Chained[]> {
  const { actor, act, object, outcome, from, to, after, limit } = filter;
  const opened = (field: string, is: ReturnType<typeof sql<SqlBool>>) =>
    sql<SqlBool>`exists (select from audit_openings o where o.seq = r.seq and o.field = ${field} and ${is})`;
  const rows = await db
    .selectFrom('audit_records as r')
    .selectAll()
    .select(
      sql<Record<
        string,
        unknown
      > | null>`(select json_object_agg(field, json_build_object('salt', salt, 'value', value))
        from audit_openings o where o.seq = r.seq)`.as('opened'),
    )
    .where('seq', '>', after)
    .$if(actor !== undefined, (query) =>
      query.where(opened('actor', sql<SqlBool>`md5(o.value) = md5(${actor}) and o.value = ${actor}`)),
    )
    .$if(object !== undefined, (query) => query.where(opened('object', sql<SqlBool>`strpos(o.value, ${object}) > 0`)))
    .$if(act !== undefined, (query) => query.where(sql<SqlBool>`starts_with(act, ${act})`))
    .$if(outcome !== undefined, (query) => query.where('outcome', '=', outcome ?? 'done'))
    .$if(from !== undefined, (query) => query.where('at', '>=', Date.parse(from ?? '')))
    .$if(to !== undefined, (query) => query.where('at', '<', Date.parse(to ?? '')))
    .orderBy('seq')
    .limit(limit)
    .execute();
  return rows.map(({ seq, previous, record, hash, opened: texts }) => ({
    ...{ seq, previous, hash },
    record: auditRecord.parse(JSON.parse(record)),
    opened: openings.parse(texts ?? {}),
  }));
}

/** Checkpoints of the records behind one, up to another. */
export async function readCheckpoints(db: Db, after: number, to: number): Promise<readonly Checkpoint[]> {
  const rows = await db
    .selectFrom('audit_checkpoints')
    .selectAll()
    .where('seq', '>', after)
    .where('seq', '<=', to)
    .orderBy('seq')
    .execute();
  return rows.map((row) => checkpoint.parse({ checkpoint: JSON.parse(row.checkpoint), signature: row.signature }));
}

/** JSON lines of a piece of the chain, as the verifier takes them: each checkpoint behind its record. */
export async function exportAudit(
  db: Db,
  after: number,
  limit: number,
): Promise<{ readonly lines: readonly string[]; readonly last: number }> {
  const records = await readAudit(db, { after, limit });
  const last = records.at(-1)?.seq ?? after;
  const signed = new Map((await readCheckpoints(db, after, last)).map((each) => [each.checkpoint.seq, each]));
  const lines = records.flatMap((record) =>
    [record, signed.get(record.seq) ?? []].flat().map((each) => JSON.stringify(each)),
  );
  return { lines, last };
}

/** Public keys that have signed checkpoints, PEM. */
export async function readAuditKeys(db: Db): Promise<readonly { readonly name: string; readonly publicKey: string }[]> {
  const rows = await db.selectFrom('audit_keys').selectAll().orderBy('since').execute();
  return rows.map(({ name, public_key: publicKey }) => ({ name, publicKey }));
}

/**
 * Erases what records tell of a person: of every record of which they are the actor, and where they are named as the object.
 * @returns how many records were changed
 */
export async function eraseFromAudit(db: Db, actor: string): Promise<number> {
  const { rows } = await sql<{ seq: number }>`
    with theirs as (select seq from audit_openings where field = 'actor' and md5(value) = md5(${actor}) and value = ${actor})
    delete from audit_openings o using theirs
      where o.seq = theirs.seq and o.field = any (${FIELDS.filter((field) => field !== 'object')}::text[])
      returning o.seq`.execute(db);
  return new Set(rows.map(({ seq }) => seq)).size;
}
