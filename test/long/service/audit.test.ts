import { append, recordOf, type Verdict, Verifier } from '@delos/audit';
import { sql } from 'kysely';
import { beforeEach, expect, test } from 'vitest';
import { appendAudit } from '../../../runtime/service/src/db/audit/append.ts';
import { auditKeys, signChain } from '../../../runtime/service/src/db/audit/checkpoints.ts';
import { handleAudit } from '../../../runtime/service/src/db/audit/command.ts';
import { exportAudit } from '../../../runtime/service/src/db/audit/read.ts';
import { apiForEachTest, type EachTest } from '../../support/service/each-test.ts';

/* Records of the API over a real PostgreSQL. */

let { api, database }: EachTest = {} as EachTest;
apiForEachTest((made) => {
  ({ api, database } = made);
});
const KEYS = auditKeys('a secret of this test alone, long enough');
const JOB = { preset_name: 'cpu-small', org_name: 'acme', project_name: 'one', image: 'ubuntu:24.04' };

async function verdict(): Promise<Verdict> {
  await signChain(database.db, KEYS, Date.now(), true);
  const verifier = new Verifier([KEYS.publicKey]);
  for (const line of (await exportAudit(database.db, 0, 1_000)).lines) verifier.line(line);
  return verifier.end();
}
const told = async (path = ''): Promise<readonly (readonly unknown[])[]> => {
  const { json } = await api.request('admin', 'GET', `/audit${path}`);
  return json.map(
    ({
      record,
      opened,
    }: {
      record: { act: string; outcome: string; status: number };
      opened: Record<string, { value: string }>;
    }) => [record.act, record.outcome, record.status, opened.actor?.value, opened.object?.value],
  );
};
const WHOLE = { faults: [], unanchored: 0 };

beforeEach(() => expect(KEYS.publicKey.asymmetricKeyType).toBe('ed25519'));

test('an act and a refusal are recorded, with who, what and how it was answered; they are found by filters', async () => {
  const { json } = await api.request('alice', 'POST', '/jobs?from_preset', JOB);
  await api.request('rita', 'DELETE', `/jobs/${json.id}`);
  await api.request('alice', 'DELETE', `/jobs/${json.id}`);
  const all = [
    ['job.run', 'done', 200, 'alice', '/api/v1/jobs'],
    ['job.kill', 'refused', 403, 'rita', `/api/v1/jobs/${json.id}`],
    ['job.kill', 'done', 200, 'alice', `/api/v1/jobs/${json.id}`],
  ];
  expect(await told()).toEqual(all);
  expect(await told('?actor=rita')).toEqual(all.slice(1, 2));
  expect(await told(`?object=${json.id}&outcome=done`)).toEqual(all.slice(2));
  expect(await told('?act=job.r')).toEqual(all.slice(0, 1));
  expect(await told('?after=2')).toEqual(all.slice(2));
  expect((await api.request('alice', 'GET', '/audit')).status).toBe(403);
  expect(await verdict()).toMatchObject({ ...WHOLE, records: 3, checkpoints: 1 });
});

test('an act whose record cannot be written is not done', async () => {
  await sql`alter table audit_records add check (act <> 'job.run')`.execute(database.db);
  const { status } = await api.request('alice', 'POST', '/jobs?from_preset', JOB);
  expect(status).toBe(500);
  expect(await database.db.selectFrom('jobs').select('id').execute()).toEqual([]);
});

test('acts beside each other are one chain without a gap, and an act that goes back leaves none', async () => {
  const asked = Array.from({ length: 40 }, (_, index) =>
    api.request('alice', 'POST', '/jobs?from_preset', { ...JOB, name: `job-${index % 30}` }),
  );
  const statuses = (await Promise.all(asked)).map(({ status }) => status);
  expect(statuses.filter((status) => status === 202)).toHaveLength(30);
  const found = await verdict();
  expect(found).toMatchObject({ ...WHOLE, records: 40 });
  const rows = await database.db.selectFrom('audit_records').select('outcome').execute();
  expect(rows.filter(({ outcome }) => outcome === 'done')).toHaveLength(30);
});

test('PostgreSQL hashes as the pure core does', async () => {
  const event = {
    at: 1,
    source: 'command' as const,
    act: 'a.b',
    outcome: 'done' as const,
    status: 0,
    request: 'é"\\',
    fields: {},
  };
  await appendAudit(database.db, event);
  const row = await database.db.selectFrom('audit_records').selectAll().executeTakeFirstOrThrow();
  expect(row.hash).toBe(
    append(
      undefined,
      recordOf(event, () => new Uint8Array(32)),
    ).hash,
  );
});

test.each([
  ['removed', sql`delete from audit_records where seq = 3`],
  ['changed', sql`update audit_records set record = replace(record, 'job.run', 'job.kill') where seq = 3`],
  ['said to be somebody else’s', sql`update audit_openings set value = 'bob' where seq = 3 and field = 'actor'`],
  ['put elsewhere', sql`update audit_records set seq = case seq when 3 then 4 else 3 end where seq in (3, 4)`],
])('a record that somebody with the database’s own rights has %s is found', async (_what, change) => {
  for (let index = 0; index < 6; index += 1) await api.request('alice', 'POST', '/jobs?from_preset', JOB);
  expect(await verdict()).toMatchObject(WHOLE);
  await expect(change.execute(database.db)).rejects.toThrow(/only added to|violates foreign key/);
  await database.tx(async (tx) => {
    for (const table of ['audit_records', 'audit_openings'])
      await sql`alter table ${sql.raw(table)} disable trigger user`.execute(tx);
    await sql`alter table audit_openings drop constraint audit_openings_seq_fkey`.execute(tx);
    await sql`alter table audit_records drop constraint audit_records_pkey`.execute(tx);
    await change.execute(tx);
  });
  expect((await verdict()).faults.length).toBeGreaterThan(0);
});

test('what records tell of a person is erased, the chain stays whole, and the erasure is a record', async () => {
  await api.request('alice', 'POST', '/jobs?from_preset', JOB);
  await api.request('bob', 'DELETE', '/jobs/none');
  const erase = { action: 'erase' as const, actor: 'alice', by: 'operator root', why: 'asked to be forgotten' };
  expect(await handleAudit(database, erase, KEYS)).toEqual({ records: 1 });
  const texts = JSON.stringify(await told());
  expect(texts).not.toContain('alice');
  expect(texts).toContain('bob');
  expect(await verdict()).toMatchObject({ ...WHOLE, records: 3 });
  expect((await told('?act=audit.erase'))[0]?.slice(0, 4)).toEqual(['audit.erase', 'done', 0, 'operator root']);
});
