import { describe, expect, test } from 'vitest';
import { recordClaim } from '../../../../runtime/service/src/db/disks-state.ts';
import { loadActive, selectJobs } from '../../../../runtime/service/src/scheduler/rows.ts';
import { disksOfFile, mount } from './disk-api.ts';

/* Disks of jobs. */

const disks = disksOfFile();
const { made, get, run, ready, happens } = disks;

describe('a job with disks', () => {
  test('shows them again, and is written down as theirs', async () => {
    const id = await made({ name: 'data' });
    const { status, json, text } = await run([mount('data'), mount(id, { dst_path: '/ro', read_only: true })]);
    expect([status, text]).toEqual([202, text]);
    expect(json.container.disk_volumes).toEqual([mount('data'), mount(id, { dst_path: '/ro', read_only: true })]);
    const row = await disks.database.db
      .selectFrom('jobs')
      .select('spec')
      .where('id', '=', json.id)
      .executeTakeFirstOrThrow();
    expect(row.spec.disks).toEqual([
      { disk: id, path: '/mnt', readOnly: false },
      { disk: id, path: '/ro', readOnly: true },
    ]);
    // It writes at one of the two places.
    expect(await disks.database.db.selectFrom('job_disks').selectAll().execute()).toEqual([
      { job: json.id, disk: id, read_only: false },
    ]);
    expect((await get(id)).json).toMatchObject({ jobs: [json.id], last_usage: expect.any(String) });
  });

  test('is read by the scheduler with the state of its disks', async () => {
    const id = await made({ name: 'data' });
    const { json } = await run([mount('data')]);
    const read = async () => (await selectJobs(disks.database.db, 'default').execute())[0]?.disks;
    expect(await read()).toEqual([
      { id, name: 'data', readOnly: false, status: 'pending', description: null, nodes: null },
    ]);
    await ready(id);
    await happens(json.id, { type: 'admit', pool: 'default', node: 'node-1', description: '' });
    expect((await loadActive(disks.database.db, 'default'))[0]?.disks).toEqual([
      { id, name: 'data', readOnly: false, missing: null, nodes: ['node-1'] },
    ]);
  });

  test('of another project is refused in words, a stranger’s as one that is not there', async () => {
    await made({ name: 'theirs', project_name: 'small' });
    const other = await run([mount('theirs', { src_disk_uri: 'disk://default/acme/small/theirs' })]);
    expect([other.status, other.json.error]).toEqual([
      400,
      expect.stringMatching(
        /^disk_volumes\.0\.src_disk_uri: disk "theirs" belongs to project acme\/small, and a job mounts disks of its own project alone; /,
      ),
    ]);
    // noel is no member of acme/small.
    const strange = await run([mount('x', { src_disk_uri: 'disk://default/acme/small/theirs' })], 'noel');
    const absent = await run([mount('x', { src_disk_uri: 'disk://default/acme/small/none' })], 'noel');
    expect([strange.status, strange.text.replace('theirs', 'none')]).toEqual([400, absent.text]);
  });

  test.each<[string, readonly object[], RegExp]>([
    ['that is not there', [mount('none')], /^disk_volumes\.0\.src_disk_uri: there is no disk "none"; apolo disk ls/],
    ['of another cluster', [mount('x', { src_disk_uri: 'disk://far/acme/one/data' })], /there is no cluster "far"/],
    ['named by no URI', [mount('x', { src_disk_uri: 'data' })], /expected disk:\/\/CLUSTER\/ORG\/PROJECT\/DISK/],
    [
      'at no absolute path',
      [mount('data', { dst_path: 'mnt' })],
      /^disk_volumes\.0\.dst_path: expected an absolute path/,
    ],
    [
      'in the place of the root',
      [mount('data', { dst_path: '/' })],
      /^disk_volumes\.0\.dst_path: a disk cannot take the place/,
    ],
    [
      'over the kernel’s folders',
      [mount('data', { dst_path: '/proc/x' })],
      /^disk_volumes\.0\.dst_path: the kernel’s own/,
    ],
    ['past its folder', [mount('data', { dst_path: '/a/../b' })], /^disk_volumes\.0\.dst_path: must not contain/],
    [
      'twice in one place',
      [mount('data'), mount('data', { dst_path: '/mnt/' })],
      /^disk_volumes\.1\.dst_path: \/mnt is the place of another disk/,
    ],
    [
      'that are too many',
      Array.from({ length: 17 }, (_, index) => mount('data', { dst_path: `/m${index}` })),
      /^disk_volumes: a job mounts at most 16 disks/,
    ],
  ])('is refused where it asks for one %s', async (_what, mounts, words) => {
    await made({ name: 'data' });
    const { status, json } = await run(mounts);
    expect([status, json.error]).toEqual([400, expect.stringMatching(words)]);
    expect(await disks.database.db.selectFrom('jobs').select('id').execute()).toEqual([]);
  });

  test('is refused a broken disk, with the reason', async () => {
    const id = await made({ name: 'data' });
    const description = 'its volume could not be made: no space';
    await disks.database.tx((tx) =>
      recordClaim(tx, id, { claimUid: 'u', phase: 'broken', description, nodes: null, usedBytes: null }),
    );
    expect((await get(id)).json).toMatchObject({ status: 'Broken', status_description: description });
    expect((await run([mount('data')])).json.error).toContain(`disk "data" is broken: ${description}`);
  });
});
