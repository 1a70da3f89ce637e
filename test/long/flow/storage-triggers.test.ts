import { mkdir, mkdtemp, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { FILE_STORAGE_USER } from '@delos/core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { execute, expectOk } from '../../../peers/src/command.ts';
import { carryOutBakes } from '../../../runtime/service/src/api/bakes/index.ts';
import { sweepStorage } from '../../../runtime/service/src/api/schedules/look-at-files.ts';
import { type ProcessAgent, processAgent } from '../../support/bakes/process-agent.ts';
import { type FilesOnApi, filesOnApi } from '../../support/files/file-storage.ts';
import type { Answer } from '../../support/service/control-api.ts';
import { until } from '../../support/until.ts';

/*
 * Bakes that changes of files make, over the real file storage and a real PostgreSQL; the time of the looks is handed in.
 * Jobs are processes of this machine, which write through their mounts.
 */

const MAIN = join(import.meta.dirname, '../../../cli/src/main.ts');
const IMAGE = 'ghcr.io/neuro-inc/base:latest';
let served: FilesOnApi;
let agent: ProcessAgent;
let engine: { close(): Promise<void> };

beforeAll(async () => {
  served = await filesOnApi();
  await served.database.notifications.start();
  agent = await processAgent(served.database, served.api.deps.logs, served.files.data);
  engine = carryOutBakes(served.api.deps);
});
afterAll(async () => {
  await engine?.close();
  await agent?.stop();
  await served?.stop();
});
beforeEach(async () => {
  await served.database.db.deleteFrom('flow_schedules').execute();
  await until('nothing is left of the test before', 20, () =>
    served.database.db
      .deleteFrom('flow_projects')
      .execute()
      .then(
        () => true,
        () => undefined,
      ),
  );
  await rm(join(served.files.data, 'acme/one'), { recursive: true, force: true });
});

const ask = (method: string, path: string, body?: unknown, user = 'alice'): Promise<Answer> =>
  served.api.request(user, method, `/flow/${path}`, body);
const bakeOf = (bash: string) => ({
  ...{ org_name: 'acme', project_name: 'one', flow: 'mine', batch: 'arrived', workspace: '/w' },
  flow_file: {
    filename: '/w/arrived.yml',
    content: `kind: batch\nparams: { changes: none }\ntasks:\n  - id: a\n    image: "${IMAGE}"\n    preset: cpu-small\n    volumes: ["storage:in:/in:rw"]\n    env: { CHANGES: "\${{ params.changes }}" }\n    bash: |\n      ${bash}\n`,
  },
});
const WATCH = { path: 'storage:in', pattern: '**/*.csv', param: 'changes' };
const add = async (storage: object = {}, more: object = {}): Promise<Answer['json']> => {
  const made = await ask('POST', 'schedules', {
    name: 'arrived',
    storage: { ...WATCH, ...storage },
    bake: bakeOf('true'),
    ...more,
  });
  expect(made.status, made.text).toBe(201);
  return made.json;
};
const shown = async (id: string): Promise<Answer['json']> => (await ask('GET', `schedules/${id}`)).json;
/** Writes as a job does, whose files belong to the storage’s group, some seconds ago. */
async function write(path: string, text: string): Promise<void> {
  const file = join(served.files.data, 'acme/one', path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text);
  await utimes(file, new Date(), new Date(Date.now() - 5_000));
  const all = join(served.files.data, 'acme');
  await expectOk(execute(['chown', '-R', `${FILE_STORAGE_USER}:${FILE_STORAGE_USER}`, all]));
  await expectOk(execute(['chmod', '-R', 'g+rwX', all]));
}
let now = Date.now();
/** Looks once, some seconds later than the time before. */
const look = (seconds = 30, deps = served.api.deps): Promise<void> => {
  now += seconds * 1000;
  return sweepStorage(deps, now);
};
const changesOf = async (bake: string): Promise<unknown> =>
  JSON.parse((await ask('GET', `bakes/${bake}/report`)).json.params.changes);
const settled = (bake: string): Promise<Answer['json']> =>
  until('the end of the bake', 60, async () => {
    const { json } = await ask('GET', `bakes/${bake}/report`);
    return json.settled === true ? json : undefined;
  });

describe('files that a schedule looks at', () => {
  test('make one bake when some were made, once they are quiet, whoever looks and however often', async () => {
    await write('in/old.csv', 'there before');
    const made = await add();
    expect(made).toMatchObject({
      cron: null,
      next_at: null,
      storage: { ...WATCH, on: ['made', 'changed'], quiet_seconds: 10 },
    });
    await look();
    expect(await shown(made.id)).toMatchObject({ runs: [], storage: { files: 1, problem: null } });
    await write('in/deep/one.csv', '1');
    await write('in/two.csv', '2');
    await write('in/no.txt', 'not asked for');
    await look();
    await write('in/two.csv', 'longer');
    await look();
    expect((await shown(made.id)).runs).toEqual([]);
    now += 15_000;
    await Promise.all(Array.from({ length: 8 }, () => look(0)));
    await look(1);
    const { runs } = await shown(made.id);
    expect(runs).toMatchObject([{ cause: 'storage', outcome: 'baked' }]);
    expect(await changesOf(runs[0].bake)).toEqual([
      { path: 'deep/one.csv', change: 'made' },
      { path: 'two.csv', change: 'made' },
    ]);
    expect((await settled(runs[0].bake)).result).toBe('succeeded');
    for (let round = 0; round < 3; round += 1) await look();
    expect((await shown(made.id)).runs).toHaveLength(1);
  });

  test('make one for what a job writes through its mount, and another one for what is changed, moved and removed', async () => {
    await write('in/.keep', '');
    const made = await add({ on: ['made', 'changed', 'removed'] });
    await look();
    const writer = await ask(
      'POST',
      'bakes/submit',
      bakeOf('echo 1 > /in/by-job.csv; echo 2 > /in/other.csv; touch -d "10 seconds ago" /in/*'),
    );
    expect(writer.status, writer.text).toBe(201);
    expect((await settled(writer.json.id)).result).toBe('succeeded');
    await look();
    await look();
    const [first] = (await shown(made.id)).runs;
    expect(await changesOf(first.bake)).toHaveLength(2);
    await settled(first.bake);
    const at = join(served.files.data, 'acme/one/in');
    await rename(join(at, 'by-job.csv'), join(at, 'moved.csv'));
    await write('in/other.csv', 'more');
    await look();
    await look();
    const [second] = (await shown(made.id)).runs;
    expect(await changesOf(second.bake)).toEqual([
      { path: 'by-job.csv', change: 'removed' },
      { path: 'moved.csv', change: 'made' },
      { path: 'other.csv', change: 'changed' },
    ]);
  });

  test('are made up for when the bake before has ended, and after the file storage or a look was killed', async () => {
    const made = await add({}, { bake: bakeOf('until [ -e /in/go ]; do sleep 0.2; done') });
    await look();
    await write('in/one.csv', '1');
    await look();
    await look();
    const [first] = (await shown(made.id)).runs;
    await write('in/two.csv', '2');
    for (let round = 0; round < 3; round += 1) await look();
    expect((await shown(made.id)).runs).toHaveLength(1);
    await served.files.kill();
    await look();
    expect((await shown(made.id)).storage.problem).toContain('does not answer');
    await served.files.up();
    await write('in/go', '');
    await settled(first.bake);
    // Whoever had begun to look is gone: nothing is written of it.
    const gone = {
      ...served.api.deps,
      database: { ...served.database, db: served.database.db, tx: () => Promise.reject(new Error('killed')) },
    };
    await expect(look(120, gone as never)).rejects.toThrow('killed');
    await look();
    await look();
    const { runs, storage } = await shown(made.id);
    expect([runs.length, storage.problem]).toEqual([2, null]);
    expect(await changesOf(runs[0].bake)).toEqual([{ path: 'two.csv', change: 'made' }]);
  });

  test('are those of projects that its owner may read, now; links lead nowhere, and too many are refused in words', async () => {
    const asked = { name: 'spy', storage: { ...WATCH, path: 'storage:/two/in' }, bake: bakeOf('true') };
    expect((await ask('POST', 'schedules', asked)).status).toBe(403);
    for (const path of ['storage://other/acme/one/in', 'storage:/', 'file:in']) {
      expect((await ask('POST', 'schedules', { ...asked, storage: { ...WATCH, path } })).status, path).toBe(400);
    }
    expect(
      (await ask('POST', 'schedules', { ...asked, storage: { ...WATCH, path: 'storage:in', param: 'none' } })).status,
    ).toBe(400);
    expect((await fetch(`${served.origin}/tree?org=acme&project=one&path=&most=10`)).status).not.toBe(200);

    const theirs = join(served.files.data, 'acme/two');
    await mkdir(theirs, { recursive: true });
    await writeFile(join(theirs, 'secret.csv'), '');
    await write('in/own.csv', '');
    await symlink(theirs, join(served.files.data, 'acme/one/in/link'));
    await symlink(join(theirs, 'secret.csv'), join(served.files.data, 'acme/one/in/link.csv'));
    const made = await add();
    await look();
    expect((await shown(made.id)).storage.files).toBe(1);
    const through = await add({ path: 'storage:in/link' }, { name: 'through' });
    await look();
    expect((await shown(through.id)).storage.files).toBe(0);

    await served.database.db.updateTable('flow_schedules').set({ owner: 999_999 }).where('id', '=', made.id).execute();
    await look();
    expect((await shown(made.id)).storage.problem).toContain('not one of this platform');
    const many = await add({ path: 'storage:many' }, { name: 'many' });
    const folder = join(served.files.data, 'acme/one/many');
    await mkdir(folder);
    await expectOk(execute(['sh', '-c', `cd ${folder} && seq 10001 | xargs touch`]));
    await look();
    expect((await shown(many.id)).storage.problem).toContain('more than 10000 files');
  });
});

test('files are named by the command, and what keeps the platform from looking is listed', async () => {
  const home = await mkdtemp(join(tmpdir(), 'delos-watch-'));
  try {
    await writeFile(join(home, 'token'), await served.issuer.token('alice'));
    await mkdir(join(home, '.apolo'));
    await writeFile(join(home, '.apolo/project.yml'), 'id: mine\nproject_name: one\n');
    await writeFile(join(home, '.apolo/arrived.yml'), bakeOf('true').flow_file.content);
    const delos = async (...args: readonly string[]): Promise<string> => {
      const asked = ['--url', served.origin, '--token-file', join(home, 'token')];
      const command = ['--disable-warning=ExperimentalWarning', MAIN, 'flow', 'schedule', ...args, ...asked];
      return expectOk(
        execute([process.execPath, ...command], { env: { PATH: process.env.PATH, HOME: home }, cwd: home }),
      );
    };
    const files = [
      '--storage',
      'storage:in',
      '--pattern',
      '*.csv',
      '--on',
      'removed',
      '--quiet',
      '5',
      '--changes-to',
      'changes',
    ];
    expect(await delos('add', 'gone', home, ...files)).toContain('files: storage:in *.csv');
    expect(await delos('ls')).toMatch(/gone +acme\/one +arrived +files of storage:in .*none yet/);
    await write('in/a.csv', '1');
    await look();
    await rm(join(served.files.data, 'acme/one/in/a.csv'));
    await look();
    await look();
    expect(await delos('ls')).toMatch(/baked .* bake-/);
    await served.files.kill();
    await look();
    expect(await delos('ls')).toContain('files: the file storage does not answer');
    await served.files.up();
    expect(await delos('rm', 'gone')).toContain('gone is removed');
  } finally {
    await rm(home, { recursive: true, force: true });
  }
});
