import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Api, api, type JobDocument } from '../support/api.ts';
import { type ContainerStarts, watchContainerStarts } from '../support/container-starts.ts';
import { testPlatform } from '../support/instance.ts';
import { serviceProcesses, tryPeakMemory } from '../support/node.ts';
import { runSeed, seeded } from '../support/random.ts';
import { until } from '../support/until.ts';

const JOBS = 30;
const KILLS = 20;
const PARTS = ['control-api', 'scheduler', 'agent'];

describe('jobs while API, scheduler and agent are killed', () => {
  const seed = runSeed();
  let platform: Api;
  let starts: ContainerStarts;
  const peaks = new Map<string, number>();
  beforeAll(async () => {
    await testPlatform();
    platform = await api('ann');
    starts = await watchContainerStarts();
  });
  afterAll(() => starts?.stop());

  /** SIGKILL to every process of a service; how many there were. */
  const kill = async (part: string): Promise<number> => {
    const processes = await serviceProcesses(part);
    let killed = 0;
    for (const { pid } of processes) {
      const peak = await tryPeakMemory(pid);
      if (peak !== undefined) peaks.set(part, Math.max(peaks.get(part) ?? 0, peak));
      try {
        process.kill(pid, 'SIGKILL');
        killed += 1;
      } catch {
        // It ended by itself meanwhile.
      }
    }
    return killed;
  };

  /** Posts once for certain: while the API is down nothing was accepted, and a name tells what an unread answer did. */
  const submit = async (name: string, command: string): Promise<JobDocument> =>
    until(`job ${name} is accepted`, 120, async (last) => {
      try {
        return await platform.create({ name, command });
      } catch (error) {
        last(String(error));
        // The answer may have been lost after the row was written: then the name is taken, and that job is the one.
        const listed = await platform.call('GET', `/jobs?name=${name}`).catch(() => undefined);
        if (listed?.ok !== true) return undefined;
        const { jobs } = (await listed.json()) as { jobs: JobDocument[] };
        return jobs[0];
      }
    });

  test(`${JOBS} jobs, ${KILLS} kills at instants of seed ${seed}: none lost, none run twice`, async () => {
    const random = seeded(seed);
    let kills = 0;
    let done = false;
    const killer = (async () => {
      while (kills < KILLS || !done) {
        await sleep(200 + random() * 2500);
        const part = PARTS[Math.floor(random() * PARTS.length)] ?? 'agent';
        if (kills < KILLS || random() < 0.1) kills += (await kill(part)) > 0 ? 1 : 0;
        if (kills >= KILLS && done) break;
      }
    })();
    const jobs: JobDocument[] = [];
    for (let i = 0; i < JOBS; i += 1) {
      const length = (random() * 3).toFixed(1);
      jobs.push(await submit(`fault-${seed}-${i}`, `sh -c "echo begin ${i}; sleep ${length}; echo end ${i}"`));
      await sleep(random() * 800);
    }
    expect(new Set(jobs.map(({ id }) => id)).size).toBe(JOBS);
    const ended: JobDocument[] = [];
    for (const { id } of jobs) ended.push(await platform.ended(id, 300));
    done = true;
    await killer;
    expect(kills).toBeGreaterThanOrEqual(KILLS);

    for (const job of ended) expect(job.status, JSON.stringify(job.history)).toBe('succeeded');
    const counts = await starts.counts();
    for (const [i, job] of jobs.entries()) {
      expect(counts.get(job.id), `containers of ${job.id}`).toHaveLength(1);
      const log = await until(`log of ${job.id}`, 60, () => platform.log(job.id).catch(() => undefined));
      expect(log.toString()).toBe(`begin ${i}\nend ${i}\n`);
    }
  });

  test('no service of ours has needed more than 256 MiB', async () => {
    for (const part of [...PARTS, 'collector']) {
      const namespace = part === 'collector' ? 'delos-node' : 'delos';
      for (const { pid } of await serviceProcesses(part, namespace)) {
        peaks.set(part, Math.max(peaks.get(part) ?? 0, (await tryPeakMemory(pid)) ?? 0));
      }
    }
    expect([...peaks.keys()].sort()).toEqual([...PARTS, 'collector'].sort());
    for (const [part, bytes] of peaks) expect(bytes / 2 ** 20, part).toBeLessThanOrEqual(256);
  });
});
