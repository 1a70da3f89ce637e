import { instancePaths } from '@delos/core';
import { beforeAll, expect, test } from 'vitest';
import { expectOk } from '../../../peers/src/command.ts';
import { killNode } from '../../support/cluster/node.ts';
import { disksUnderFaults, mountOf } from '../../support/disk-faults.ts';
import { delos, TEST_CONFIG, TEST_INSTANCE, testPlatform } from '../../support/instance.ts';
import { runSeed } from '../../support/random.ts';
import { type Api, api } from '../../support/service/api.ts';

const DISKS = 12;
const JOBS = 120;
const KILLS = 120;
const seed = runSeed();
let platform: Api;
beforeAll(async () => {
  await testPlatform();
  platform = await api('ann');
});

test(`${DISKS} disks, ${JOBS} jobs, ${KILLS} kills at instants of seed ${seed}, and one of the whole node: nothing is lost`, async () => {
  await disksUnderFaults(platform, { disks: DISKS, jobs: JOBS, kills: KILLS, seed }, async ([disk]) => {
    // A job has the disk when the machine goes; after that the disk is free again.
    const volumes = [mountOf(disk?.id ?? '')];
    const { id } = await platform.create({ command: 'sleep 3000', disk_volumes: volumes });
    await platform.running(id);
    killNode(instancePaths(TEST_INSTANCE, process.env));
    await expectOk(delos(['up', '--config', TEST_CONFIG]));
    const { status } = await platform.job(id);
    if (status === 'running') expect((await platform.call('DELETE', `/jobs/${id}`)).ok).toBe(true);
    expect((await platform.ended(id)).status).toMatch(/^(failed|cancelled)$/);
  });
});
