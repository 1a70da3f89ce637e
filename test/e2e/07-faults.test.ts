import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { serviceProcesses } from '../support/cluster/node.ts';
import { type ContainerStarts, watchContainerStarts } from '../support/container-starts.ts';
import { disksUnderFaults } from '../support/disk-faults.ts';
import { KILLED_PARTS, notePeaks, type Peaks, runUnderFaults } from '../support/faults.ts';
import { testPlatform } from '../support/instance.ts';
import { runSeed } from '../support/random.ts';
import { type Api, api } from '../support/service/api.ts';
import { until } from '../support/until.ts';

const JOBS = 20;
const KILLS = 6;

describe('jobs while API, scheduler and agent are killed', () => {
  const seed = runSeed();
  const peaks: Peaks = new Map();
  let platform: Api;
  let starts: ContainerStarts;
  beforeAll(async () => {
    await testPlatform();
    platform = await api('ann');
    starts = await watchContainerStarts();
  });
  afterAll(() => starts?.stop());

  test(`${JOBS} jobs, ${KILLS} kills at instants of seed ${seed}: none lost, none run twice`, async () => {
    const { jobs, ended, kills } = await runUnderFaults(platform, { jobs: JOBS, kills: KILLS, seed, peaks });
    expect(kills).toBeGreaterThanOrEqual(KILLS);
    expect(new Set(jobs.map(({ id }) => id)).size).toBe(JOBS);
    for (const job of ended) expect(job.status, JSON.stringify(job.history)).toBe('succeeded');
    const counts = await starts.counts();
    for (const [i, job] of jobs.entries()) {
      expect(counts.get(job.id), `containers of ${job.id} that containerd started`).toHaveLength(1);
      const log = await until(`log of ${job.id}`, 60, () => platform.log(job.id).catch(() => undefined));
      expect(log.toString()).toBe(`begin ${i}\nend ${i}\n`);
    }
  });

  test('disks while the node’s keeper is killed too: each is written by one job at a time, and nothing is left of it', async () => {
    await disksUnderFaults(platform, { disks: 2, jobs: 6, kills: 4, seed });
  });

  test('no service of ours has needed more than 256 MiB', async () => {
    for (const part of KILLED_PARTS) await notePeaks(part, await serviceProcesses(part), peaks);
    await notePeaks('collector', await serviceProcesses('collector', 'delos-node'), peaks);
    expect([...peaks.keys()].sort()).toEqual([...KILLED_PARTS, 'collector'].sort());
    for (const [part, bytes] of peaks) expect(bytes / 2 ** 20, part).toBeLessThanOrEqual(256);
  });
});
