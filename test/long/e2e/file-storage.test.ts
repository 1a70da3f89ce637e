import { rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { instancePaths } from '@delos/core';
import { beforeAll, describe, expect, test } from 'vitest';
import { layoutOf } from '../../../cluster/src/embedded/spec.ts';
import { TEST_INSTANCE } from '../../support/instance.ts';
import { type Api, api, DEFAULTS, IMAGE } from '../../support/service/api.ts';
import { until } from '../../support/until.ts';

/* Files of projects in jobs, on the embedded node: what links lead to, before a job is sent and while it waits. */

let platform: Api;
beforeAll(async () => {
  platform = await api('ann');
});

describe('files of a project', () => {
  test('of another project are mounted where one may, and no link of a job leads to those of a third', async () => {
    const volume = (path: string, readOnly = false, place = '/mnt') => ({
      src_storage_uri: `storage://default/default/${path}`,
      dst_path: place,
      read_only: readOnly,
    });
    const first = await platform.create({
      command: 'sh -c "ln -sfn ../served /mnt/astray && echo mine >/mnt/here"',
      volumes: [volume('trusted')],
    });
    expect(await platform.ended(first.id)).toMatchObject({ status: 'succeeded' });
    const body = { ...DEFAULTS, image: IMAGE, command: 'true', volumes: [volume('trusted/astray')] };
    const refused = await platform.call('POST', '/jobs?from_preset=true', body);
    expect([refused.status, await refused.text()]).toEqual([400, expect.stringContaining('symbolic link')]);
    const second = await platform.create({
      command: 'cat /a/file',
      volumes: [volume('trusted/here', true, '/a/file')],
    });
    expect(await platform.ended(second.id)).toMatchObject({ status: 'succeeded' });
    expect((await platform.log(second.id)).toString()).toBe('mine\n');
  });

  test('that a job waits to mount are not those of a project that a link leads to by then', async () => {
    const folder = join(layoutOf(instancePaths(TEST_INSTANCE, process.env).state).files, 'default/trusted');
    await platform.call('PUT', '/storage/default/served/secret?op=CREATE', 'a secret of others');
    const mount = { src_storage_uri: 'storage://default/default/trusted/waits', dst_path: '/mnt', read_only: false };
    const holder = await platform.create({ project_name: 'tight', command: 'sleep 3000' });
    await platform.running(holder.id);
    const waiting = await platform.create({
      project_name: 'tight',
      command: 'sh -c "cat /mnt/secret; ls /mnt"',
      volumes: [mount],
      wait_for_jobs_quota: true,
    });
    await rm(join(folder, 'waits'), { recursive: true });
    await symlink('../served', join(folder, 'waits'));
    await platform.call('DELETE', `/jobs/${holder.id}`);
    const told = await until('it is told why it cannot start', 90, async (last) => {
      const { status, history } = await platform.job(waiting.id);
      last([status, history]);
      return history.description?.includes('subPath') === true ? history : undefined;
    });
    expect(told.description).not.toContain('secret');
    await platform.call('DELETE', `/jobs/${waiting.id}`);
    await platform.ended(waiting.id);
    expect((await platform.log(waiting.id)).toString()).toBe('');
    await rm(join(folder, 'waits'));
  });
});
