import fc from 'fast-check';
import { sql } from 'kysely';
import { describe, expect, test } from 'vitest';
import { claimRemoved } from '../../../../runtime/service/src/db/disks-state.ts';
import { disksOfFile, GIB, MIB } from './disk-api.ts';

/* Disks by themselves: made, counted, found. */

const disks = disksOfFile();
const { make, made, get, remove, list, desired } = disks;

describe('making a disk', () => {
  test('answers with the disk as the client reads it', async () => {
    const { status, json } = await make({ name: 'data', life_span: 86_400 });
    expect(status).toBe(201);
    expect(json).toMatchObject({
      id: expect.stringMatching(/^disk-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/),
      name: 'data',
      storage: 100 * MIB,
      owner: 'alice',
      org_name: 'acme',
      project_name: 'one',
      status: 'Pending',
      life_span: 86_400,
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
    });
    expect(await desired(json.id)).toMatchObject({
      kind: 'disk',
      spec: { action: 'keep', storage: 100 * MIB, claimUid: null },
    });
  });

  test.each<[string, object, number, RegExp]>([
    ['too small', { storage: 10 }, 400, /^storage: expected at least 1 MiB/],
    ['no whole bytes', { storage: 1.5 * MIB + 0.5 }, 400, /^storage: expected whole bytes/],
    ['too large', { storage: 101 * GIB }, 400, /^storage: a disk is at most 100 GiB; .*disks\.maxSize/],
    ['no number', { storage: '10G' }, 400, /^storage: /],
    ['a name with capitals', { name: 'Data' }, 400, /^name: expected 3–40 lower-case letters/],
    ['a short name', { name: 'ab' }, 400, /^name: /],
    ['a name like an id', { name: 'disk-00000000-x' }, 400, /^name: must not look like the id/],
    ['a life-span of nothing', { life_span: 0 }, 400, /^life_span: expected seconds/],
    ['a project that is not there', { project_name: 'none' }, 403, /no member of project acme\/none, or there is none/],
    [
      'a project of others',
      { org_name: 'other', project_name: 'hidden' },
      403,
      /no member of project other\/hidden, or there is none/,
    ],
  ])('is refused with its field: %s', async (_what, given, status, words) => {
    const answer = await make(given);
    expect([answer.status, answer.json.error]).toEqual([status, expect.stringMatching(words)]);
    expect(await list()).toEqual([]);
  });

  test('by a reader is refused', async () => {
    expect((await make({}, 'rita')).json.code).toBe('ERR_FORBIDDEN');
  });

  test('gives each name once in a project, and again after its disk was removed', async () => {
    const id = await made({ name: 'data' });
    const second = await make({ name: 'data' });
    expect([second.status, second.json.code]).toEqual([409, 'ERR_CONFLICT']);
    expect((await make({ name: 'data', project_name: 'small' })).status).toBe(201);
    await remove(id);
    expect((await make({ name: 'data' })).status).toBe(201);
  });

  test('is bounded in number, also where many come at once', async () => {
    const answers = await Promise.all(Array.from({ length: 25 }, () => make({ storage: MIB })));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(20);
    expect(answers.find(({ status }) => status === 400)?.json.error).toMatch(
      /^project acme\/one has 20 disks, the most of one project; .*disks\.perProject/,
    );
  });
});

describe('the quota of disks', () => {
  test('tells what is used, asked for and allowed, of the project and of the organization', async () => {
    await made({ project_name: 'small', storage: 1.5 * GIB });
    const project = await make({ project_name: 'small', storage: GIB });
    expect([project.status, project.json.code, project.json.error]).toEqual([
      400,
      'ERR_QUOTA_EXCEEDED',
      expect.stringMatching(
        /^storage: project acme\/small has disks of 1\.5 GiB, this one asks for 1 GiB, and the quota is 2 GiB; /,
      ),
    ]);
    const org = await make({ storage: 11 * GIB });
    expect(org.json.error).toMatch(
      /^storage: organization acme has disks of 1\.5 GiB, this one asks for 11 GiB, and the quota is 12 GiB; /,
    );
  });

  test('counts a disk until the cluster has taken it away', async () => {
    const id = await made({ project_name: 'small', storage: 2 * GIB });
    expect((await remove(id)).status).toBe(202);
    expect((await make({ project_name: 'small', storage: GIB })).json.error).toContain(
      'has disks of 2 GiB (2 GiB of them are being removed)',
    );
    await disks.database.tx((tx) => claimRemoved(tx, id));
    expect((await make({ project_name: 'small', storage: GIB })).status).toBe(201);
  });

  test('tells a project of its own disks alone, also of those that are being removed', async () => {
    expect((await remove(await made({ project_name: 'one' }))).status).toBe(202);
    expect((await make({ project_name: 'small', storage: 3 * GIB })).json.error).toContain(
      'project acme/small has disks of 0 KiB, this one asks for 3 GiB',
    );
  });

  test('is never exceeded, whatever is asked for and removed at once', async () => {
    const step = fc.record({
      size: fc.integer({ min: 1, max: 1200 }),
      project: fc.constantFrom('one', 'small'),
      remove: fc.nat(3),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(step, { minLength: 1, maxLength: 4 }), { maxLength: 4 }), async (rounds) => {
        for (const round of rounds) {
          await Promise.all(round.map(({ size, project }) => make({ storage: size * MIB * 4, project_name: project })));
          const { rows } = await sql<{ project: string; held: number }>`
            select project, sum(storage)::float8 as held from disks group by project`.execute(disks.database.db);
          const held = new Map(rows.map((row) => [row.project, row.held]));
          expect(held.get('small') ?? 0).toBeLessThanOrEqual(2 * GIB);
          expect((held.get('small') ?? 0) + (held.get('one') ?? 0)).toBeLessThanOrEqual(12 * GIB);
          const gone = round.filter(({ remove: some }) => some === 0).length;
          await sql`delete from disks where id in (select id from disks order by id limit ${gone})`.execute(
            disks.database.db,
          );
        }
        await disks.database.db.deleteFrom('disks').execute();
      }),
      { numRuns: 15 },
    );
  });
});

describe('looking for disks', () => {
  test('lists those of a project, of an organization, and none of others', async () => {
    const one = await made({ name: 'one-disk' });
    const small = await made({ project_name: 'small' });
    expect((await list()).map(({ id }) => id)).toEqual([one]);
    expect((await list('alice', 'org_name=acme')).map(({ id }) => id).sort()).toEqual([one, small].sort());
    expect((await list('rita', 'org_name=acme')).map(({ id }) => id)).toEqual([one]);
    expect(await list('bob', 'org_name=acme')).toEqual([]);
    expect((await list('admin', '')).map(({ id }) => id).sort()).toEqual([one, small].sort());
  });

  test('lists more disks than a page has', async () => {
    await sql`insert into disks (id, cluster, org, project, owner, namespace, storage)
      select 'disk-' || lpad(n::text, 8, '0') || '-0000-4000-8000-000000000000', 'default', 'acme', 'one', 'alice', 'x', 1
      from generate_series(1, 450) n`.execute(disks.database.db);
    const found = await list();
    expect([found.length, new Set(found.map(({ id }) => id)).size]).toEqual([450, 450]);
  });

  test.each(['id', 'name'])('finds one by its %s; a stranger is told as of one that is not there', async (by) => {
    const id = await made({ name: 'data' });
    const key = by === 'id' ? id : 'data';
    expect((await get(key)).json.id).toBe(id);
    expect((await get(key, 'rita')).json.id).toBe(id);
    const none = by === 'id' ? id.replace(/[0-9a-f]{4}$/, '0000') : 'none';
    for (const ask of [get, remove]) {
      const [other, absent] = [await ask(key, 'bob'), await ask(none, 'bob')];
      expect([other.status, other.text]).toEqual([404, absent.text.replaceAll(none, key)]);
    }
    expect([(await remove(key, 'rita')).json.code, (await list()).length]).toEqual(['ERR_FORBIDDEN', 1]);
  });
});
