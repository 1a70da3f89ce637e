import { existsSync, readdirSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { instancePaths } from '@delos/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loopsOf } from '../../cluster/src/disks/loops.ts';
import { layoutOf } from '../../cluster/src/embedded/spec.ts';
import type { ApoloClient } from '../../peers/src/apolo.ts';
import { kubectl, loggedIn, TEST_INSTANCE, testPlatform, token } from '../support/instance.ts';
import { type Api, api, IMAGE } from '../support/service/api.ts';
import { until } from '../support/until.ts';

/* Disks, and files of projects, as people have them: by the official client, on the embedded node. */

const IMAGES = layoutOf(instancePaths(TEST_INSTANCE, process.env).state).disks;
const files = (): readonly string[] => (existsSync(IMAGES) ? readdirSync(IMAGES) : []);

let ann: ApoloClient;
let platform: Api;
let work: string;

beforeAll(async () => {
  ann = await loggedIn('ann');
  platform = await api('ann');
  // The client is a user of its own.
  work = join(ann.home, 'files');
  await mkdir(work);
  await writeFile(join(work, 'in'), 'from the client\n');
});
afterAll(async () => {
  await ann?.close();
});

const create = async (...args: readonly string[]): Promise<string> =>
  /disk-[0-9a-f-]{36}/.exec(await ann.ok(['disk', 'create', ...args]))?.[0] ?? '';
const run = (disk: string, script: string) =>
  ann.run(['run', '-s', 'tiny', '-v', `disk:${disk}:/mnt:rw`, IMAGE, '--', 'sh', '-c', script]);
const begin = async (disk: string, script: string, mode = 'rw'): Promise<string> => {
  const args = ['run', '--detach', '--no-wait-start', '-s', 'tiny', '-v', `disk:${disk}:/mnt:${mode}`, IMAGE, '--'];
  return /job-[0-9a-f-]{36}/.exec(await ann.ok([...args, 'sh', '-c', script]))?.[0] ?? '';
};
const kill = (job: string) => ann.ok(['kill', job]);

describe('a disk', () => {
  test('is made, listed, looked at and removed, and nothing is left of it', async () => {
    const before = files();
    const id = await create('20M', '--name', 'short', '--timeout-unused', '1d2h');
    await until('the disk is ready', 30, async (last) => {
      const shown = await ann.ok(['disk', 'get', 'short']);
      last(shown);
      return /Status +Ready/.test(shown) ? true : undefined;
    });
    const shown = await ann.ok(['disk', 'get', id]);
    expect(shown).toMatch(/Storage +20\.9 MB|Storage +20\.0 MB/);
    expect(shown).toMatch(/Timeout unused +1d2h/);
    expect(await ann.ok(['disk', 'ls', '--long-format'])).toContain('short');
    expect(await ann.ok(['-q', 'disk', 'ls'])).toContain(id);
    const { apiUrl } = await testPlatform();
    const headers = { authorization: `Bearer ${await token('bob')}` };
    const strange = await fetch(`${apiUrl}/disk/${id}`, { headers });
    expect([strange.status, await strange.text()]).toEqual([404, expect.stringContaining('there is no disk')]);
    await ann.ok(['disk', 'rm', 'short']);
    expect(await ann.ok(['-q', 'disk', 'ls'])).not.toContain(id);
    await until('its image is gone', 30, async (last) => {
      last(files());
      return files().length === before.length ? true : undefined;
    });
    expect(loopsOf(IMAGES).length).toBe(before.length);
  });

  test('is refused beyond the quota of its project, with what is used, asked for and allowed', async () => {
    const { code, stderr } = await ann.run(['disk', 'create', '120M', '--project', 'tight']);
    expect(code).not.toBe(0);
    expect(stderr).toMatch(
      /storage: project default\/tight has disks of 0 KiB, this one asks for 114.4 MiB, and the quota is 100 MiB/,
    );
  });

  test('goes by itself when its life-span after its last use is over', async () => {
    const id = await create('2M', '--timeout-unused', '2s');
    await until('the disk is gone', 60, async () =>
      (await ann.ok(['-q', 'disk', 'ls'])).includes(id) ? undefined : true,
    );
  });
});

describe('jobs with a disk', () => {
  test('keep on it what they write, and can write no more than its size', async () => {
    await create('20M', '--name', 'data');
    // A job that ends at once is not attached to: its log tells.
    const ended = async (script: string, mode: 'rw' | 'ro'): Promise<string> => {
      const job = await begin('data', script, mode);
      await platform.ended(job);
      return (await platform.log(job)).toString();
    };
    const fill = 'dd if=/dev/zero of=/mnt/a bs=1M count=19 && dd if=/dev/zero of=/mnt/b bs=1M count=9';
    expect(await ended(fill, 'rw')).toContain('No space left on device');
    expect(await ended('ls /mnt; touch /mnt/c 2>&1', 'ro')).toMatch(/^a\r?$[\s\S]*Read-only file system/m);
  });

  test('have it one after the other, are told so, and one that is removed goes with its last job', async () => {
    const first = await begin('data', 'echo one > /mnt/order; sleep 600');
    const { namespace } = await platform.running(first);
    const second = await begin('data', 'cat /mnt/order; sleep 600');
    const told = await until('the second is told why it waits', 30, async (last) => {
      const { history } = await platform.job(second);
      last(history);
      return history.reason === 'DiskInUse' ? history.description : undefined;
    });
    expect(told).toBe(`Disk data is in use by ${first}, which may write to it. It is free when that has ended.`);
    expect(await ann.ok(['status', second])).toContain('DiskInUse');
    await ann.ok(['disk', 'rm', 'data']);
    expect(await ann.ok(['disk', 'get', 'data'])).toMatch(/Status +Pending/);
    const third = await run('data', 'true');
    expect(third.stdout + third.stderr).toContain('disk "data" is being removed: no further job may mount it');
    await kill(first);
    await platform.running(second);
    expect(await kubectl(['get', 'pvc', '-n', namespace ?? '', '-o', 'name'])).toContain('disk-');
    await kill(second);
    await until('the disk has gone with its last job', 60, async (last) => {
      const left = await kubectl(['get', 'pvc', '-n', namespace ?? '', '-o', 'name']);
      last(left);
      return left === '' ? true : undefined;
    });
    expect((await ann.run(['disk', 'get', 'data'])).code).not.toBe(0);
  });
});

const runWith = (script: string, ...volumes: readonly string[]) =>
  ann.run(['run', '-s', 'tiny', ...volumes.flatMap((volume) => ['-v', volume]), IMAGE, '--', 'sh', '-c', script]);

describe('files of a project', () => {
  test('go to a job and back, by the client', async () => {
    await ann.ok(['storage', 'cp', '-r', '-T', work, 'storage:exchanged']);
    const job = await runWith(
      'cat /mnt/in && mkdir /mnt/out && echo from the job >/mnt/out/file && (echo no >/ro/out/x) 2>&1; ls /ro/out',
      'storage:exchanged:/mnt:rw',
      'storage:exchanged:/ro:ro',
    );
    expect(job).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/from the client[\s\S]*Read-only[\s\S]*file/i),
    });
    await ann.ok(['storage', 'cp', 'storage:exchanged/out/file', ann.home]);
    expect(await readFile(join(ann.home, 'file'), 'utf8')).toBe('from the job\n');
    await ann.ok(['storage', 'rm', '-r', 'storage:exchanged']);
  });
});
