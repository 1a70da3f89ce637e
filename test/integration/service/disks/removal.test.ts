import { sql } from 'kysely';
import { describe, expect, test } from 'vitest';
import { applyConfig } from '../../../../runtime/service/src/db/apply-config.ts';
import { claimRemoved, sweepDisks } from '../../../../runtime/service/src/db/disks-state.ts';
import { podRemoved } from '../../../../runtime/service/src/db/jobs-state.ts';
import { observation } from '../../../support/service/observer.ts';
import { DISK_CONFIG, disksOfFile, mount } from './disk-api.ts';

/* How disks go: removed, or at the end of their life-span. */

const disks = disksOfFile();
const { made, get, remove, list, run, ready, happens, desired } = disks;

describe('removing a disk', () => {
  const runsWith = async (disk: string): Promise<string> => {
    const { json } = await run([mount(disk)]);
    await happens(json.id, { type: 'admit', pool: 'default', node: 'node-1', description: '' });
    return json.id;
  };
  const ends = async (job: string): Promise<void> => {
    await happens(job, { type: 'stop', status: 'cancelled', reason: 'Killed', description: 'killed' });
    const row = await disks.database.db.selectFrom('jobs').selectAll().where('id', '=', job).executeTakeFirstOrThrow();
    if (row.phase === 'gone') return;
    await happens(job, {
      type: 'observe',
      observation: observation(job, { phase: 'failed', podUid: 'p', nodeName: null }),
    });
    await disks.database.tx((tx) => podRemoved(tx, job, { run: 0, podUid: 'p' }));
  };

  test('that nobody uses takes it from the list at once, and its row when the claim has gone', async () => {
    const id = await made({ name: 'data' });
    await ready(id);
    expect((await remove('data')).status).toBe(202);
    expect([(await get(id)).status, await list()]).toEqual([404, []]);
    expect(await desired(id)).toMatchObject({ spec: { action: 'remove', claimUid: 'u-1' } });
    await disks.database.tx((tx) => claimRemoved(tx, id));
    expect(await disks.database.db.selectFrom('disks').select('id').execute()).toEqual([]);
    expect((await remove(id)).status).toBe(404);
  });

  test('is answered as done where the claim goes at once', async () => {
    const id = await made();
    const answer = remove(id);
    await new Promise((resolve) => setTimeout(resolve, 300));
    await disks.database.tx((tx) => claimRemoved(tx, id));
    expect((await answer).status).toBe(204);
  });

  test.each([
    ['runs', runsWith],
    ['waits', async (disk: string): Promise<string> => (await run([mount(disk)])).json.id],
  ])('waits for a job that %s with it, and takes no further one meanwhile', async (_what, begin) => {
    const id = await made({ name: 'data' });
    await ready(id);
    const job = await begin('data');
    expect((await remove('data')).status).toBe(202);
    expect((await remove('data')).status).toBe(202);
    expect(await desired(id)).toMatchObject({ spec: { action: 'keep' } });
    expect((await get(id)).json).toMatchObject({
      status: 'Pending',
      status_description: `it is being removed, and goes when ${job} has ended`,
    });
    expect((await run([mount(id)])).json.error).toMatch(/disk "data" is being removed: no further job may mount it/);
    await ends(job);
    expect(await desired(id)).toMatchObject({ spec: { action: 'remove' } });
  });

  test('is gone on with by the sweep, where the end of its job was missed', async () => {
    const id = await made();
    const job = await runsWith(id);
    await remove(id);
    // As if two jobs had gone at one time, each seeing the other.
    await disks.database.db.deleteFrom('job_disks').where('job', '=', job).execute();
    expect(await desired(id)).toMatchObject({ spec: { action: 'keep' } });
    await disks.database.tx((tx) => sweepDisks(tx, 'default'));
    expect(await desired(id)).toMatchObject({ spec: { action: 'remove' } });
  });

  test('a report of a claim does not bring back a disk that is being removed', async () => {
    const id = await made();
    await remove(id);
    await ready(id);
    expect(await desired(id)).toMatchObject({ spec: { action: 'remove' } });
  });
});

describe('the life-span of a disk', () => {
  const sweep = () => disks.database.tx((tx) => sweepDisks(tx, 'default'));
  const age = (id: string, seconds: number) =>
    sql`update disks set created_at = created_at - make_interval(secs => ${seconds}),
      last_used_at = last_used_at - make_interval(secs => ${seconds}) where id = ${id}`.execute(disks.database.db);

  test('begins with its making, and anew with each use; while a job has it, it does not end', async () => {
    const id = await made({ life_span: 60 });
    const kept = await made({ life_span: null });
    for (const each of [id, kept]) await age(each, 50);
    expect(await sweep()).toEqual([]);
    const { json } = await run([mount(id)]);
    await age(id, 3_600);
    expect(await sweep()).toEqual([]);
    await happens(json.id, { type: 'stop', status: 'cancelled', reason: 'Killed', description: '' });
    await age(id, 50);
    expect(await sweep()).toEqual([]);
    for (const each of [id, kept]) await age(each, 3_600);
    expect(await sweep()).toEqual([id]);
    expect(await sweep()).toEqual([]);
    expect((await list()).map((disk) => disk.id)).toEqual([kept]);
  });

  test('never ends under a job that is accepted at that moment', async () => {
    for (let round = 0; round < 10; round += 1) {
      const id = await made({ life_span: 1 });
      await age(id, 10);
      const [answer] = await Promise.all([run([mount(id)]), sweep()]);
      const isKept = (await desired(id))?.spec.action === 'keep';
      expect(answer.status === 202).toBe(isKept);
    }
  });
});

test('a project that leaves the configuration is kept as long as it has disks', async () => {
  const id = await made();
  const [, other] = DISK_CONFIG.organizations;
  await disks.database.tx((tx) =>
    applyConfig(tx, { ...DISK_CONFIG, organizations: other === undefined ? [] : [other] }, 'default'),
  );
  const projects = async () =>
    (
      await disks.database.db.selectFrom('projects').select(['name', 'retired']).where('org', '=', 'acme').execute()
    ).map(({ name, retired }) => `${name} ${retired}`);
  expect(await projects()).toEqual(['one true']);
  expect((await list('admin', '')).map((disk) => disk.id)).toEqual([id]);
  await disks.database.db.deleteFrom('disks').execute();
  await disks.database.tx((tx) => applyConfig(tx, DISK_CONFIG, 'default'));
  expect((await projects()).sort()).toEqual(['one false', 'small false']);
});

test('the disks of a user who is removed stay with the project, under a name that nobody else can have', async () => {
  const id = await made();
  const without = DISK_CONFIG.users.filter(({ name }) => name !== 'alice');
  const organizations = DISK_CONFIG.organizations.map((org) => ({
    ...org,
    projects: org.projects.map((project) => ({
      ...project,
      members: project.members.filter(({ user }) => user !== 'alice'),
    })),
  }));
  await disks.database.tx((tx) => applyConfig(tx, { ...DISK_CONFIG, users: without, organizations }, 'default'));
  expect((await get(id, 'noel')).json.owner).toMatch(/^alice~\d+$/);
  await disks.database.tx((tx) => applyConfig(tx, DISK_CONFIG, 'default'));
});
