import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ContainerStarts, watchContainerStarts } from '../../support/container-starts.ts';
import { runUnderFaults } from '../../support/faults.ts';
import { testPlatform } from '../../support/instance.ts';
import { runSeed } from '../../support/random.ts';
import { type Api, api } from '../../support/service/api.ts';

const JOBS = 200;
const KILLS = 200;
const seed = runSeed();
let platform: Api;
let starts: ContainerStarts;
beforeAll(async () => {
  await testPlatform();
  platform = await api('ann');
  starts = await watchContainerStarts();
});
afterAll(() => starts?.stop());

test(`${JOBS} jobs, ${KILLS} kills at instants of seed ${seed}: none lost, none run twice`, async () => {
  const { jobs, ended } = await runUnderFaults(platform, { jobs: JOBS, kills: KILLS, seed, peaks: new Map() });
  for (const job of ended) expect(job.status, JSON.stringify(job.history)).toBe('succeeded');
  const counts = await starts.counts();
  for (const { id } of jobs) expect(counts.get(id), `containers of ${id} that containerd started`).toHaveLength(1);
});
